"""What separates values, and one column that nothing separates."""

from __future__ import annotations

from csv_case import reads, refuses

CASES = (
    reads("commas", "id,text\n1,a\n2,b\n", "id text", [["1", "a"], ["2", "b"]], guesses=0),
    reads("semicolons", "id;text\n1;a\n2;b\n", "id text", [["1", "a"], ["2", "b"]], guesses=0),
    reads("tabs", "id\ttext\n1\ta\n2\tb\n", "id text", [["1", "a"], ["2", "b"]], guesses=0),
    reads("pipes", "id|text\n1|a\n2|b\n", "id text", [["1", "a"], ["2", "b"]], guesses=0),
    reads(
        "semicolons with decimal commas",
        "id;price;text\n1;1,5;a\n2;2,75;b, c\n",
        "id price text",
        [["1", "1,5", "a"], ["2", "2,75", "b, c"]],
        guesses=0,
    ),
    reads(
        "semicolons, a comma in the header",
        "id;price, EUR;text\n1;1,5;a\n",
        ["id", "price, EUR", "text"],
        [["1", "1,5", "a"]],
    ),
    reads(
        "commas, one semicolon in each text", 'id,text\n1,"a; b"\n2,c; d\n', "id text", [["1", "a; b"], ["2", "c; d"]]
    ),
    reads(
        "tabs, prose full of commas",
        "id\ttext\n1\twell, yes, no\n2\toh, my\n",
        "id text",
        [["1", "well, yes, no"], ["2", "oh, my"]],
    ),
    reads(
        "pipes, prose full of commas and semicolons",
        "id|text\n1|a, b; c\n2|d; e, f\n",
        "id text",
        [["1", "a, b; c"], ["2", "d; e, f"]],
    ),
    reads(
        "every value quoted, the text full of semicolons",
        '"id","text"\n"1","a;b;c"\n"2","d;e;f"\n',
        "id text",
        [["1", "a;b;c"], ["2", "d;e;f"]],
    ),
    reads("excel's sep line with a semicolon", "sep=;\r\nid;text\r\n1;a,b\r\n", "id text", [["1", "a,b"]], lines=(3,)),
    reads("excel's sep line with a tab", "sep=\t\nid\ttext\n1\ta\n", "id text", [["1", "a"]]),
    reads("excel's sep line in capitals with a caret", "SEP=^\nid^text\n1^a,b\n", "id text", [["1", "a,b"]]),
    reads("excel's sep line after a mark", "\ufeffsep=;\nid;text\n1;a\n", "id text", [["1", "a"]]),
    reads("excel's sep line and a header of one column", "sep=,\ntext\na\n", "text", [["a"]]),
    reads("a caret, told", "id^text\n1^a,b\n", "id text", [["1", "a,b"]], told={"delimiter": "^"}),
    reads("a tab, told by name", "id\ttext\n1\ta\n", "id text", [["1", "a"]], told={"delimiter": "tab"}),
    reads(
        "a comma, told, though semicolons fit",
        "a;b,c;d\n1;2,3;4\n",
        ["a;b", "c;d"],
        [["1;2", "3;4"]],
        told={"delimiter": ","},
    ),
    reads("two delimiters that fit alike", "a;b,c;d\n1;2,3;4\n", ["a", "b,c", "d"], [["1", "2,3", "4"]]),
    reads("a tsv file", "id\ttext\n1\ta,b\n", "id text", [["1", "a,b"]], file="table.tsv"),
    reads("a tsv file that is separated by commas", "id,text\n1,a\n", "id text", [["1", "a"]], file="table.tsv"),
    reads(
        "a tsv file with more commas than tabs",
        "a,b\tc,d,e\n1,2\t3,4,5\n",
        ["a,b", "c,d,e"],
        [["1,2", "3,4,5"]],
        file="table.tsv",
    ),
    reads("one column", "text\nnothing here\nnor here\n", "text", [["nothing here"], ["nor here"]], guesses=0),
    reads(
        "one column of prose with commas",
        "text\nHello, world\nwell, yes, no\nplain\n",
        "text",
        [["Hello, world"], ["well, yes, no"], ["plain"]],
        guesses=1,
    ),
    reads(
        "one column, every line with one comma",
        "text\nHello, world\nYes, sir\nNo, madam\n",
        "text",
        [["Hello, world"], ["Yes, sir"], ["No, madam"]],
    ),
    reads(
        "one column, quoted where it has a comma",
        'text\n"Hello, world"\nplain\n',
        "text",
        [["Hello, world"], ["plain"]],
        guesses=0,
    ),
    reads("one column, quoted with doubled quotes", 'text\n"say ""hi"", you"\n', "text", [['say "hi", you']]),
    reads("one column with a comma at the end of every line", "text\nfoo,\nbar,\n", "text", [["foo"], ["bar"]]),
    reads(
        "one column, a comma late in the file",
        "text\n" + "plain\n" * 3000 + "Hello, world\n",
        "text",
        [["plain"]] * 3000 + [["Hello, world"]],
    ),
    reads("one column with lines of spaces", "text\na\n  \nb\n", "text", [["a"], ["  "], ["b"]]),
    reads("one column with empty lines", "text\na\n\n\nb\n", "text", [["a"], ["b"]], lines=(2, 5)),
    reads("one column with an empty value in quotes", 'text\na\n""\nb\n', "text", [["a"], [""], ["b"]]),
    refuses("one column that begins with a quotation", 'text\n"Well" - he said\n', "broken quoting", 2),
    reads(
        "one column that begins with a quotation, told",
        'text\n"Well" - he said\n',
        "text",
        [['"Well" - he said']],
        told={"quoting": "none"},
    ),
    refuses(
        "a header that names one column of two",
        "text\n1,foo\n2,bar\n3,baz\n",
        "has 2 values where the header names 1 column",
        2,
    ),
    reads("a header only", "id,text\n", "id text", []),
    reads("a header only, without a line break", "id,text", "id text", []),
    reads("a header of one column only", "text", "text", []),
)
