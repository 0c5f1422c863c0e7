"""Rows that are longer or shorter than the header."""

from __future__ import annotations

from csv_case import reads, refuses

_MANY = "id,text\n" + "".join(f"{number},a,b\n{number},ok\n" for number in range(25))

CASES = (
    refuses(
        "one value too many", "id,text\n1,ok\n2,a,b\n", "has 3 values where the header names 2 columns.*quote values", 3
    ),
    refuses(
        "one value too few",
        "id,text\n1,ok\n2\n3,ok\n",
        "has 1 value where the header names 2 columns.*csv.ragged: pad",
        3,
    ),
    refuses(
        "too many here and too few there",
        "id,text\n1,a,b\n2,ok\n3\n",
        "has 3 values .*1 other line cannot be read either: line 4 has 1 value ",
        2,
    ),
    refuses("bad rows after a quoted line break", 'id,text\n1,"a\nb"\n2,c,d\n', "has 3 values", 4),
    refuses(
        "more bad rows than are named",
        _MANY,
        "20 or more other lines cannot be read either: lines 4, 6, 8, .*, 42 likewise",
        2,
    ),
    refuses(
        "three bad rows",
        "id,text\n1,a,b\n2,ok\n3,a,b\n4,ok\n5,a,b\n6,ok\n",
        "2 other lines cannot be read either: lines 4, 6 likewise",
        2,
    ),
    refuses("a bad row far down", "id,text\n" + "1,a\n" * 5000 + "2,b,c\n", "has 3 values", 5002),
    refuses(
        "an unquoted comma in every text",
        "id,text\n1,no, thanks\n2,yes, please\n3,well, ok\n",
        "2 other lines cannot be read either",
        2,
    ),
    refuses("a footer of a SQL client", "id,text\n1,a\n2,b\n(2 rows affected)\n", "has 1 value", 4),
    refuses("a sum below the rows", "id;text;price\n1;a;2\n2;b;3\nSum;5\n", "has 2 values where the header names 3", 4),
    refuses("a lone CR within an unquoted value", "id,text\n1,a\rb\n2,c\n", "has 1 value", 3),
    refuses("a header repeated with another column", "id,text\n1,a\nid,text,more\n2,b,c\n", "has 3 values", 3),
    reads(
        "a header repeated as it is",
        "id,text\n1,a\nid,text\n2,b\n",
        "id text",
        [["1", "a"], ["id", "text"], ["2", "b"]],
    ),
    reads(
        "empty values at the end, as Excel writes them",
        "id,text\n1,a,,\n2,b\n3,c,\n",
        "id text",
        [["1", "a"], ["2", "b"], ["3", "c"]],
    ),
    reads(
        "a delimiter at the end of every row, as SAP writes",
        "id;text\n1;a;\n2;b;\n",
        "id text",
        [["1", "a"], ["2", "b"]],
    ),
    reads(
        "a delimiter at the end of the header only",
        "id;text;\n1;a\n2;b\n",
        ["id", "text", ""],
        [["1", "a", ""], ["2", "b", ""]],
    ),
    reads(
        "columns without a name, partly filled",
        "id,text,,\n1,a\n2,b,x\n3,c,x,y\n",
        ["id", "text", "", ""],
        [["1", "a", "", ""], ["2", "b", "x", ""], ["3", "c", "x", "y"]],
    ),
    reads(
        "short rows, padded",
        "id,text,more\n1\n2,b\n3,c,d\n",
        "id text more",
        [["1", "", ""], ["2", "b", ""], ["3", "c", "d"]],
        told={"ragged": "pad"},
    ),
    refuses(
        "long rows are not padded",
        "id,text\n1\n2,b,c\n",
        "has 3 values where the header names 2 columns",
        3,
        told={"ragged": "pad"},
    ),
    refuses("short rows, told to refuse them", "id,text\n1\n2,b\n", "has 1 value", 2, told={"ragged": "refuse"}),
    reads(
        "a short row of blanks, padded or not, is passed over",
        "id,text\n1,a\n  \n",
        "id text",
        [["1", "a"]],
        told={"ragged": "pad"},
    ),
)
