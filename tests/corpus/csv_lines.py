"""Line breaks, blank lines, lines above the header, characters that are no line breaks."""

from __future__ import annotations

from csv_case import reads, refuses

_TWO = [["1", "a"], ["2", "b"]]
_BANK = "Report of May\nSome Bank AG\n\nDate;Amount;Text\n1.5.;1,5;foo\n2.5.;2,5;bar\n3.5.;3,5;baz\n"
_PAID = [["1.5.", "1,5", "foo"], ["2.5.", "2,5", "bar"], ["3.5.", "3,5", "baz"]]

_PIECE = "id,text\r\n1," + "x" * 65_524 + "\r\n"
"""Files are read in pieces of 65,536 bytes; the first one ends between CR and LF."""

CASES = (
    reads("CRLF across two pieces", _PIECE + "2,b\r\n", "id text", [["1", "x" * 65_524], ["2", "b"]], lines=(2, 3)),
    refuses(
        "a bad byte after CRLF across two pieces",
        _PIECE.encode() + b"2,\xe9\r\n",
        "byte 65,540",
        3,
        told={"encoding": "utf-8"},
    ),
    reads("LF", "id,text\n1,a\n2,b\n", "id text", _TWO, lines=(2, 3)),
    reads("CRLF", "id,text\r\n1,a\r\n2,b\r\n", "id text", _TWO, lines=(2, 3)),
    reads("CR only, as old Macs write", "id,text\r1,a\r2,b\r", "id text", _TWO, lines=(2, 3)),
    reads("CR only with a quoted CR", 'id,text\r1,"a\rb"\r2,c\r', "id text", [["1", "a\rb"], ["2", "c"]], lines=(2, 4)),
    reads("mixed line breaks", "id,text\r\n1,a\n2,b\r3,c", "id text", [*_TWO, ["3", "c"]], lines=(2, 3, 4)),
    reads("CRCRLF, translated twice", "id,text\r\r\n1,a\r\r\n2,b\r\r\n", "id text", _TWO),
    reads("no line break at the end", "id,text\n1,a\n2,b", "id text", _TWO),
    reads("no line break at the end, after a quote", 'id,text\n1,"a"', "id text", [["1", "a"]]),
    reads("no line break at the end, an empty last value", "id,text\n1,", "id text", [["1", ""]]),
    reads("blank lines between rows", "id,text\n1,a\n\n\n2,b\n\n", "id text", _TWO, lines=(2, 5)),
    reads("blank lines above the header", "\n\nid,text\n1,a\n2,b\n", "id text", _TWO, lines=(4, 5)),
    reads("a line of spaces above the header", "   \nid,text\n1,a\n2,b\n", "id text", _TWO, lines=(3, 4)),
    reads("lines of spaces between rows", "id,text\n1,a\n   \n2,b\n\t\n", "id text", _TWO, lines=(2, 4)),
    reads("lines of too many commas", "id,text\n1,a\n,,,,\n2,b\n,,,,\n", "id text", _TWO, lines=(2, 4)),
    reads(
        "a line of too few commas",
        "id,text,more\n1,a,x\n,\n2,b,y\n",
        "id text more",
        [["1", "a", "x"], ["2", "b", "y"]],
    ),
    reads("a row of empty values is a row", "id,text\n1,a\n,\n2,b\n", "id text", [["1", "a"], ["", ""], ["2", "b"]]),
    reads("a row of spaces is a row", "id,text\n1,a\n , \n", "id text", [["1", "a"], [" ", " "]]),
    reads("the end-of-file mark of DOS", "id,text\r\n1,a\r\n2,b\r\n\x1a", "id text", _TWO),
    reads(
        "U+2028 and U+2029 within a value",
        "id,text\n1,a\u2028b\u2029c\n",
        "id text",
        [["1", "a\u2028b\u2029c"]],
        lines=(2,),
    ),
    reads("NEL within a value", "id,text\n1,a\x85b\n2,c\n", "id text", [["1", "a\x85b"], ["2", "c"]], lines=(2, 3)),
    reads(
        "vertical tab and form feed within values",
        "id,text\n1,a\vb\fc\n2,d\n",
        "id text",
        [["1", "a\vb\fc"], ["2", "d"]],
        lines=(2, 3),
    ),
    reads(
        "separators of ASCII within values",
        "id,text\n1,a\x1cb\x1dc\x1ed\x1fe\n",
        "id text",
        [["1", "a\x1cb\x1dc\x1ed\x1fe"]],
    ),
    reads("a NUL within a value", "id,text\n1,a\0b\n2,c\n", "id text", [["1", "a\0b"], ["2", "c"]]),
    reads("a NUL in quotes and at the beginning of a line", 'id,text\n\x001,"a\0"\n', "id text", [["\x001", "a\0"]]),
    reads("control characters and a bell", "id,text\n1,\x07\x1b[31mred\n", "id text", [["1", "\x07\x1b[31mred"]]),
    reads("a no-break space and a zero-width space", "id,text\n1,\xa0a\u200b\n", "id text", [["1", "\xa0a\u200b"]]),
    reads("a byte-order mark within a value", "id,text\n1,\ufeffa\n", "id text", [["1", "\ufeffa"]]),
    reads("right-to-left marks", "id,text\n1,\u202eabc\u202c\n", "id text", [["1", "\u202eabc\u202c"]]),
    reads("decomposed letters stay decomposed", "id,text\n1,e\u0301\n", "id text", [["1", "e\u0301"]]),
    refuses(
        "lines above the header, as banks write them",
        _BANK,
        r"line 1 has 1 value.*have 3: this looks like the header \('Date', 'Amount', 'Text'\).*skip_rows: 3",
        4,
    ),
    reads("lines above the header, told", _BANK, "Date Amount Text", _PAID, told={"skip_rows": 3}, lines=(5, 6, 7)),
    refuses(
        "a line with a comma above the header",
        "Account, May 2024\nIBAN;DE12\n\nDate;Amount;Text\n1.5.;1,5;foo\n2.5.;2,5;bar\n3.5.;3,5;baz\n",
        "this looks like the header",
        4,
    ),
    refuses(
        "lines above the header after a sep line", "sep=;\nReport\nid;name;text\n1;a;b\n2;c;d\n", "skip_rows: 2", 3
    ),
    refuses(
        "SAP's list with a title",
        "Table:\tBKPF\nDisplayed fields: 3\n\nDoc\tDate\tText\n100\t1.5.\tfoo\n101\t2.5.\tbar\n102\t3.5.\tbaz\n",
        "this looks like the header",
        4,
    ),
    refuses(
        "a row of commas above the header, as Excel writes empty rows",
        ",,\nid,name,text\n1,a,b\n",
        "names no column.*skip_rows: 1",
        1,
    ),
    reads(
        "a row of commas above the header, told",
        ",,\nid,name,text\n1,a,b\n",
        "id name text",
        [["1", "a", "b"]],
        told={"skip_rows": 1},
    ),
    reads("the first line is the header, told", "text\nA,B\nC,D\n", "text", [["A,B"], ["C,D"]], told={"skip_rows": 0}),
    refuses("more lines to skip than there are", "id,text\n1,a\n", "is empty", told={"skip_rows": 5}),
    refuses("an empty file", "", "is empty"),
    refuses("a file of blank lines", "\n\n  \n\n", "is empty"),
    refuses("a file that is a byte-order mark", "\ufeff", "is empty"),
    refuses(
        "a line of NULs at the end, as a crash leaves it",
        "id,text\n1,a\n\0\0\0\0",
        "has 1 value where the header names 2 columns",
        3,
    ),
    refuses(
        "a block of NULs at the end, as a power cut leaves it",
        "id,text\n1,a\n" + "\0" * 4096,
        "holds zero bytes from byte 13 on",
        3,
    ),
    refuses(
        "one line without an end",
        lambda: b"id,text\n" + b"x" * 70_000_000,
        "has a line of more than 67,108,864 characters",
    ),
)
