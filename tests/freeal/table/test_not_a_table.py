"""What has a table's name and is none, and packed files that swell: freeal/table/not_a_table.py, packed_stream.py."""

from __future__ import annotations

import gzip

import pytest

from freeal.errors import InputError
from freeal.prediction.input_size import measure_input
from freeal.table import read_table
from freeal.table.csv_format import CsvFormat
from freeal.table.packed_stream import FREE_BYTES, MOST_RATIO

STRANGERS = {
    b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 9\n": "git lfs pull",
    b"/annex/objects/SHA256E-s1--a.csv\n": "git annex get",
    b"outs:\n- md5: a\n  size: 3\n": "dvc pull",
    b"\xef\xbb\xbf\n<!DOCTYPE html>\n<html>": "web page",
    b"<html><body>Sign in</body></html>": "web page",
    b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>": "XML document",
    b"HTTP/1.1 200 OK\r\ncontent-type: text/csv\r\n": "server's answer",
    b'{"message": "Not Found"}': "is JSON",
    b'[\n  {\n    "text": "a"\n  }\n]': "is JSON",
    b"404: Not Found": "404: Not Found",
    b"\x89PNG\r\n\x1a\n": "a picture",
    b"7z\xbc\xaf\x27\x1c": "7z archive",
}


@pytest.mark.parametrize(("content", "said"), STRANGERS.items(), ids=STRANGERS.values())
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
def test_what_stands_in_for_a_table_is_told(tmp_path, content, said, packed):
    """With what to do about it; packed too."""
    path = tmp_path / f"reviews.csv{'.gz' if packed else ''}"
    path.write_bytes(gzip.compress(content) if packed else content)
    if said == "404: Not Found":
        assert (said,) == read_table(path).header  # a header without rows: refused by whoever needs rows
        return
    with pytest.raises(InputError, match=said):
        read_table(path)


@pytest.mark.parametrize("name", ["reviews.parquet", "reviews.xlsx"])
def test_a_pointer_under_any_name_is_a_pointer(tmp_path, name):
    """Large files are what such pointers stand for."""
    pytest.importorskip("pyarrow")
    (tmp_path / name).write_bytes(next(iter(STRANGERS)))
    with pytest.raises(InputError, match="Git LFS"):
        read_table(tmp_path / name)


def test_a_packed_file_has_an_end(tmp_path):
    """Kilobytes that hold a hundred times more than they let one believe are refused, by readers and by predictions."""
    path = tmp_path / "reviews.csv.gz"
    path.write_bytes(gzip.compress(b"text\n" + b"the same row\n" * (FREE_BYTES // 12), compresslevel=9))
    assert MOST_RATIO * path.stat().st_size < FREE_BYTES
    for read in (read_table, measure_input):
        with pytest.raises(InputError, match=r"is packed: its [0-9,]+ bytes hold more than"):
            read(path)


def test_lines_in_quotes_are_read_as_their_values(tmp_path):
    """As a spreadsheet that did not know the delimiter saves them, some or all of them; said as a guess."""
    path = tmp_path / "reviews.csv"
    for content in (
        '"id,text"\n"1,""good, really"""\n"2,bad"\n',
        '"id,text";;\n"1,""good, really""";;\n"2,bad";;\n',
        'id,text\n"1,""good, really"""\n2,bad\n',
    ):
        path.write_text(content, encoding="utf-8")
        table = read_table(path)
        assert (("id", "text"), [["1", "good, really"], ["2", "bad"]]) == (table.header, table.rows)
        assert "whole lines stand in quotes" in table.dialect.notices[0]


@pytest.mark.parametrize(
    ("content", "told", "wanted"),
    [
        (b"id,text\n1,gepr\xfcft\n2,sch\xf6n\n", {}, "utf-8-sig"),
        (b"\xef\xbb\xbfid,text\n1,a\n", {}, "utf-8-sig"),
        (b"id;text\n1;a\n2;b\n", {}, "utf-8-sig"),
        (b"sep=,\nid,text\n1,a\n", {}, "utf-8"),
        (b"id,text\n1,gepr\xc3\xbcft\n", {}, "utf-8"),
        (b"id,text\n1,gepr\xfcft\n2,sch\xf6n\n", {"output_encoding": "UTF-8"}, "utf-8"),
        (b"id,text\n1,a\n", {"output_encoding": "utf8-bom"}, "utf-8-sig"),
    ],
)
def test_results_are_marked_where_a_spreadsheet_wrote_the_input(tmp_path, content, told, wanted):
    """It shows UTF-8 without a mark as other letters; the spec may decide."""
    (tmp_path / "a.csv").write_bytes(content)
    told = {key: value.replace("utf8-bom", "utf-8-bom") for key, value in told.items()}
    assert wanted == read_table(tmp_path / "a.csv", CsvFormat(**told)).dialect.output_encoding
