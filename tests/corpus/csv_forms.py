"""Tables that are no plain CSV: packed ones, JSON Lines, and files of other programs under a name of ours."""

from __future__ import annotations

import gzip

from csv_case import reads, refuses

_PACKED = gzip.compress(b"id;text\n1;a\n2;b\n", mtime=0)
_TWO = [["1", "a"], ["2", "b"]]
_DEEP = '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}\n"

CASES = (
    reads("csv.gz", _PACKED, "id text", _TWO, file="table.csv.gz"),
    reads(
        "csv.gz in two parts",
        _PACKED + gzip.compress(b"3;c\n", mtime=0),
        "id text",
        [*_TWO, ["3", "c"]],
        file="table.csv.gz",
    ),
    reads(
        "csv.gz of latin-1",
        gzip.compress("id,text\n1,schöne Größe\n".encode("latin-1"), mtime=0),
        "id text",
        [["1", "schöne Größe"]],
        file="table.csv.gz",
    ),
    reads("a packed file that is named csv", _PACKED, "id text", _TWO),
    reads("a csv.gz that is not packed", b"id,text\n1,a\n2,b\n", "id text", _TWO, file="table.csv.gz"),
    reads("tsv.gz", gzip.compress(b"id\ttext\n1\ta,b\n", mtime=0), "id text", [["1", "a,b"]], file="table.tsv.gz"),
    refuses("csv.gz that is cut off", _PACKED[:-12], "is packed with gzip and damaged", file="table.csv.gz"),
    refuses(
        "csv.gz with a wrong checksum", _PACKED[:-8] + b"\0" * 8, "is packed with gzip and damaged", file="table.csv.gz"
    ),
    refuses(
        "csv.gz with garbage behind its head",
        b"\x1f\x8b\x08" + b"\xff" * 40,
        "is packed with gzip and damaged",
        file="table.csv.gz",
    ),
    refuses("csv.gz of nothing", gzip.compress(b"", mtime=0), "is empty", file="table.csv.gz"),
    refuses(
        "a gzip bomb",
        lambda: gzip.compress(b"\0" * 100_000_000, compresslevel=1, mtime=0),
        "is packed: its [0-9,]+ bytes hold more than",
        file="table.csv.gz",
    ),
    refuses(
        "an Excel workbook named csv", b"PK\x03\x04\x14\x00\x06\x00", "is an Excel workbook or another zip archive"
    ),
    refuses("an old Excel workbook named csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is an old Excel workbook"),
    refuses("a Parquet file named csv", b"PAR1\x15\x04", "is a Parquet file"),
    refuses("a PDF named csv", b"%PDF-1.7\n", "is a PDF document"),
    reads(
        "jsonl", '{"id": 1, "text": "a"}\n{"id": 2, "text": "b"}\n', "id text", _TWO, file="table.jsonl", lines=(1, 2)
    ),
    reads(
        "ndjson with CRLF and a mark", '\ufeff{"id": 1, "text": "é"}\r\n', "id text", [["1", "é"]], file="table.ndjson"
    ),
    reads("jsonl packed", gzip.compress(b'{"a": "x"}\n', mtime=0), "a", [["x"]], file="table.jsonl.gz"),
    reads(
        "jsonl with keys that come and go",
        '{"a": "1"}\n{"b": "2", "a": "3"}\n{}\n',
        "a b",
        [["1", ""], ["3", "2"], ["", ""]],
        file="table.jsonl",
    ),
    reads(
        "jsonl numbers as they are written",
        '{"a": 1.50, "b": 1e5, "c": 12345678901234567890, "d": -0}\n',
        "a b c d",
        [["1.50", "1e5", "12345678901234567890", "-0"]],
        file="table.jsonl",
    ),
    reads(
        "jsonl null, true and false",
        '{"a": null, "b": true, "c": false}\n',
        "a b c",
        [["", "true", "false"]],
        file="table.jsonl",
    ),
    reads(
        "jsonl lists and objects",
        '{"a": [1.0, "é", null], "b": {"c": [true]}}\n',
        "a b",
        [['[1.0, "é", null]', '{"c": [true]}']],
        file="table.jsonl",
    ),
    reads(
        "jsonl strings with line breaks and U+2028",
        '{"a": "x\\ny\u2028z"}\n',
        "a",
        [["x\ny\u2028z"]],
        file="table.jsonl",
    ),
    reads(
        "jsonl with blank lines and no break at the end",
        '\n{"a": "x"}\n\n{"a": "y"}',
        "a",
        [["x"], ["y"]],
        file="table.jsonl",
        lines=(2, 4),
    ),
    reads("jsonl NaN", '{"a": NaN}\n', "a", [["NaN"]], file="table.jsonl"),
    refuses("jsonl that is a JSON list", '[{"a": 1}]\n', "is not a JSON object", 1, file="table.jsonl"),
    refuses(
        "jsonl with two bad lines",
        '{"a": 1}\n{"a":\n[1]\n',
        "is not valid JSON.*1 other line cannot be read either: line 3",
        2,
        file="table.jsonl",
    ),
    refuses("jsonl with a key twice", '{"a": 1, "a": 2}\n', "a key stands twice", 1, file="table.jsonl"),
    refuses("jsonl nested too deeply", _DEEP, "is nested too deeply", 1, file="table.jsonl"),
    refuses("jsonl with half a surrogate pair", '{"a": "\\ud800"}\n', "surrogate", 1, file="table.jsonl"),
    refuses("jsonl without a key", "{}\n", "is empty", file="table.jsonl"),
    refuses(
        "jsonl with ids as keys",
        "".join(f'{{"k{number}": 1}}\n' for number in range(20_001)),
        "different keys",
        20_001,
        file="table.jsonl",
    ),
    refuses(
        "jsonl with a delimiter told", '{"a": 1}\n', "key 'csv.delimiter'", told={"delimiter": ";"}, file="table.jsonl"
    ),
    refuses("a CSV named jsonl", "id,text\n1,a\n", "is not valid JSON", 1, file="table.jsonl"),
    refuses("a CSV named parquet", "id,text\n1,a\n", "is no Parquet file that can be read", file="table.parquet"),
)
