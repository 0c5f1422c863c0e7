"""Headers, and values that other programs change."""

from __future__ import annotations

from csv_case import reads

_WIDE = [f"column {number}" for number in range(5000)]
_CELLS = [str(number) for number in range(5000)]
_SAME = [["1", "the same text"]] * 50_000

CASES = (
    reads("two columns of one name", "text,id,text\na,1,b\n", "text id text", [["a", "1", "b"]]),
    reads("a column without a name", "id,,text\n1,x,a\n", ["id", "", "text"], [["1", "x", "a"]]),
    reads(
        "an index column without a name, as pandas writes it",
        ",text\n0,a\n1,b\n",
        ["", "text"],
        [["0", "a"], ["1", "b"]],
    ),
    reads("names with spaces around them", " id , text \n1,a\n", [" id ", " text "], [["1", "a"]]),
    reads("names that are numbers", "1,2\na,b\n", "1 2", [["a", "b"]]),
    reads("names of ours", "freeal_label,text\nx,a\n", "freeal_label text", [["x", "a"]]),
    reads(
        "names with quotes, delimiters and emojis",
        '"a ""b""","c,d",🎉\n1,2,3\n',
        ['a "b"', "c,d", "🎉"],
        [["1", "2", "3"]],
    ),
    reads("five thousand columns", ",".join(_WIDE) + "\n" + ",".join(_CELLS) + "\n", _WIDE, [_CELLS]),
    reads("many identical rows", "id,text\n" + "1,the same text\n" * 50_000, "id text", _SAME),
    reads("leading zeros", "id,zip\n007,01234\n", "id zip", [["007", "01234"]]),
    reads("NA, NULL, nan and None", "a,b,c,d\nNA,NULL,nan,None\n", "a b c d", [["NA", "NULL", "nan", "None"]]),
    reads("exponents and long numbers", "a,b\n1e5,12345678901234567890\n", "a b", [["1e5", "12345678901234567890"]]),
    reads(
        "dates of all kinds", "a,b,c\n2024-01-02,1/2/24,02.01.2024\n", "a b c", [["2024-01-02", "1/2/24", "02.01.2024"]]
    ),
    reads("TRUE, False and yes", "a,b,c\nTRUE,False,yes\n", "a b c", [["TRUE", "False", "yes"]]),
    reads("decimals keep their zeros", "a,b\n1.50,+3\n", "a b", [["1.50", "+3"]]),
    reads(
        "formulas are text",
        'a,b\n=1+1,"=HYPERLINK(""x"")"\n+1,@SUM(A1)\n-1,a\n',
        "a b",
        [["=1+1", '=HYPERLINK("x")'], ["+1", "@SUM(A1)"], ["-1", "a"]],
    ),
    reads("lines that look like comments", "id,text\n#1,a\n2,b\n", "id text", [["#1", "a"], ["2", "b"]]),
    reads("HTML in a value", 'id,text\n1,"<p class=""x"">a, b</p>"\n', "id text", [["1", '<p class="x">a, b</p>']]),
    reads(
        "JSON in a value, without quotes around it",
        'id;json\n1;{"a": 1, "b": [2, 3]}\n',
        "id json",
        [["1", '{"a": 1, "b": [2, 3]}']],
    ),
)
