"""Quotes: doubled, escaped, stray, missing."""

from __future__ import annotations

from csv_case import reads, refuses

_LONG = "x" * 10_000_000

CASES = (
    reads("a delimiter in quotes", 'id,text\n1,"a, b"\n', "id text", [["1", "a, b"]]),
    reads("doubled quotes", 'id,text\n1,"he said ""hi"", then"\n', "id text", [["1", 'he said "hi", then']]),
    reads("a value of two quotes", 'id,text\n1,""""""\n', "id text", [["1", '""']]),
    reads("empty values in quotes", 'id,text\n"",""\n', "id text", [["", ""]]),
    reads("a line break in quotes", 'id,text\n1,"a\nb"\n2,c\n', "id text", [["1", "a\nb"], ["2", "c"]], lines=(2, 4)),
    reads("CRLF in quotes", 'id,text\r\n1,"a\r\nb"\r\n2,c\r\n', "id text", [["1", "a\r\nb"], ["2", "c"]], lines=(2, 4)),
    reads("CR in quotes", 'id,text\n1,"a\rb"\n2,c\n', "id text", [["1", "a\rb"], ["2", "c"]]),
    reads("LF in quotes in a CRLF file, as Excel writes it", 'id,text\r\n1,"a\nb"\r\n', "id text", [["1", "a\nb"]]),
    reads(
        "blank lines in quotes",
        'id,text\n1,"a\n\n\nb"\n2,c\n',
        "id text",
        [["1", "a\n\n\nb"], ["2", "c"]],
        lines=(2, 6),
    ),
    reads("a whole CSV in quotes", 'id,text\n1,"a,b\n""c"",d\n"\n', "id text", [["1", 'a,b\n"c",d\n']]),
    reads(
        "a quoted header with a line break",
        'id,"text\n(long)"\n1,a\n',
        ["id", "text\n(long)"],
        [["1", "a"]],
        lines=(3,),
    ),
    reads(
        "quotes within an unquoted value", 'id,text\n1,he said "hi" twice\n', "id text", [["1", 'he said "hi" twice']]
    ),
    reads(
        "inches in an unquoted value",
        'id,text\n1,a 24" screen\n2,a 27" one\n',
        "id text",
        [["1", 'a 24" screen'], ["2", 'a 27" one']],
    ),
    reads("apostrophes", "id,text\n1,it's 'fine'\n2,'a\n", "id text", [["1", "it's 'fine'"], ["2", "'a"]]),
    reads(
        "backslash-escaped quotes",
        'id,text\n1,"say \\"hi\\", you"\n2,b\n',
        "id text",
        [["1", 'say "hi", you'], ["2", "b"]],
        guesses=1,
    ),
    reads(
        "backslash-escaped quotes beside other backslashes",
        'id,text\n1,"\\"C:\\new\\" and \\\\srv"\n',
        "id text",
        [["1", '"C:\\new" and \\srv']],
    ),
    reads(
        "backslash-escaped quotes, told",
        'id,text\n1,"a \\" b"\n',
        "id text",
        [["1", 'a " b']],
        told={"quoting": "backslash"},
        guesses=0,
    ),
    reads(
        "escaped and doubled quotes together",
        'id,text\n1,"a \\"b\\", c"\n2,"d ""e"" f"\n',
        "id text",
        [["1", 'a "b", c'], ["2", 'd "e" f']],
    ),
    reads(
        "JSON with escaped quotes", 'id,json\n1,"{\\"a\\": 1, \\"b\\": 2}"\n', "id json", [["1", '{"a": 1, "b": 2}']]
    ),
    reads(
        "backslashes that escape nothing",
        "id,text\n1,C:\\new\\table\n2,\\d+\n",
        "id text",
        [["1", "C:\\new\\table"], ["2", "\\d+"]],
    ),
    reads(
        "a quoted value that ends with a backslash",
        'id,text\n1,"C:\\dir\\"\n2,b\n',
        "id text",
        [["1", "C:\\dir\\"], ["2", "b"]],
    ),
    reads(
        "a space before the opening quote",
        'id, text\n1, "b, c"\n2, "d"\n',
        "id text",
        [["1", "b, c"], ["2", "d"]],
        guesses=1,
    ),
    reads(
        "a space before a quote where nothing needs it",
        'id,text\n1, "b"\n2,c\n',
        "id text",
        [["1", ' "b"'], ["2", "c"]],
    ),
    reads("leading spaces survive", "id,text\n1,  a \n", "id text", [["1", "  a "]]),
    reads(
        "stray quotes in a tab-separated file",
        'id\ttext\n1\t"Hello" he said\n2\tx\n',
        "id text",
        [["1", '"Hello" he said'], ["2", "x"]],
        guesses=1,
    ),
    reads(
        "an unclosed quote in a tab-separated file",
        'id\ttext\n1\t"Hello\n2\tx\n',
        "id text",
        [["1", '"Hello'], ["2", "x"]],
    ),
    reads("a quoted line break in a tab-separated file", 'id\ttext\n1\t"a\nb"\n', "id text", [["1", "a\nb"]]),
    reads("no quoting, told", 'id,text\n1,"a\n2,b"\n', "id text", [["1", '"a'], ["2", 'b"']], told={"quoting": "none"}),
    refuses("a quote that is never closed", 'id,text\n1,ok\n2,"open\n3,lost\n', "a quoted value is never closed", 3),
    refuses("a quote that is never closed, in the header", 'id,"text\n1,ok\n', "a quoted value is never closed", 1),
    refuses(
        "text after a closing quote",
        'id,text\n1,"Hello" he said\n2,x\n',
        "broken quoting: ',' expected after '\"'.*twice",
        2,
    ),
    refuses("a space after a closing quote", 'id,text\n1,"Hello" \n', "broken quoting", 2),
    refuses("quotes in quotes that are not doubled", 'id,text\n1,"he said "hi" to me"\n', "broken quoting", 2),
    refuses(
        "two lines with broken quoting",
        'id,text\n1,"a"b\n2,ok\n3,"c"d\n',
        "1 other line cannot be read either: line 4 broken quoting",
        2,
    ),
    refuses("a quote closed by one of another row", 'id,text\n1,"a\n2,b"c\n3,d\n', "broken quoting", 2),
    refuses(
        "backslashes late in the file",
        "id,text\n" + "1,a\n" * 3000 + '2,"a \\"b\\" c"\n',
        "csv.quoting: backslash",
        3002,
    ),
    reads("a value of ten million characters", f'id,text\n1,"{_LONG}"\n2,b\n', "id text", [["1", _LONG], ["2", "b"]]),
    reads(
        "a value of ten million characters, unquoted",
        f"id,text\n1,{_LONG}\n2,b\n",
        "id text",
        [["1", _LONG], ["2", "b"]],
    ),
    refuses(
        "a quote not closed for 40 million characters",
        lambda: b'id,text\n1,"' + b"x\n" * 20_000_000,
        "more than 33,554,432 characters.*never closed",
        2,
    ),
)
