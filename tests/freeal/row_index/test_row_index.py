"""A version's rows, written into an index and found again (freeal/row_index)."""

from __future__ import annotations

import csv
import json

import pytest

from freeal.errors import CorruptModelError
from freeal.row_index.build_index import build_row_index, mark_of_index
from freeal.row_index.row_search import NONE, UNLABELLED, RowFilter, RowIndex

OURS = ("label", "confidence", "source", "llm_label", "student_label", "round", "clean", "status")
ROWS = (
    ("a", "A good thing", "good", 0.9, "llm+student", "good", "good", "ok", "good"),
    ("b", "Über den Preis", "bad", 0.4, "student", "good", "bad", "ok", "good"),
    ("c", "a good thing, twice", "good", 0.7, "llm", "good", "bad", "ok", ""),
    ("x4", "", "", "", "failed", "", "", "empty_text", "bad"),
    ("e", "a good thing, twice", "good", 0.7, "llm", "good", "bad", "duplicate_of:3", ""),
)


def _version(folder, rows=ROWS, *, delimiter=",", queue=((2, 1, "looks wrong", "good: fine"),), labels=None):
    (folder / "model").mkdir(parents=True)
    card = {"schema_version": 1, "labels": ["good", "bad"], "base_model": "b", "mode": "frozen", "max_length": 8}
    card |= {"temperature": 1.0, "extra": {"text_columns": ["text"]}}
    (folder / "model" / "freeal.json").write_text(json.dumps(card))
    spec = {"name": "r", "description": "Is it good?", "labels": {"good": "fine", "bad": ""}, "id_column": "id"}
    spec |= {"label_column": "truth", "text_columns": ["text"]}
    spec |= {"labels": labels, "kind": "multi"} if labels else {}
    (folder / "run.json").write_text(json.dumps({"spec": spec, "input": {"output_delimiter": delimiter}}))
    with (folder / "annotated.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, delimiter=delimiter)
        ours = ("labels", *OURS[1:]) if labels else OURS
        writer.writerow(["id", "text", "truth", *(f"freeal_{name}" for name in ours)])
        for name, text, label, confidence, source, llm, student, status, truth in rows:
            writer.writerow([name, text, truth, label, confidence, source, llm, student, "1", "0.5", status])
    with (folder / "review_queue.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, delimiter=delimiter)
        writer.writerow(["id", "text", "freeal_row", "freeal_rows", "freeal_why", "freeal_nearest_1"])
        writer.writerows(["", "", *entry] for entry in queue)
    return folder


@pytest.fixture
def index(tmp_path):
    """The index of a version with another before it."""
    before = [("a", "A good thing", "bad", *ROWS[0][3:]), *ROWS[1:3]]
    version, previous = _version(tmp_path / "now"), _version(tmp_path / "before", before)
    build_row_index(version, tmp_path / "now.sqlite", previous=previous)
    return RowIndex(tmp_path / "now.sqlite")


def _numbers(index, **wanted):
    order = wanted.pop("order", "row")
    return [row.number for row in index.find(RowFilter(**wanted), order=order)[1]]


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ({}, [1, 2, 3, 4, 5]),
        ({"label": "bad"}, [2]),
        ({"label": NONE}, [4]),
        ({"source": "llm"}, [3, 5]),
        ({"most": 0.5}, [2, 4]),
        ({"least": 0.7, "most": 0.7}, [3, 5]),
        ({"disagree": True}, [2, 3, 5]),
        ({"moved": True}, [1]),
        ({"wrong": True}, [2, 4]),
        ({"truth": "good", "label": "bad"}, [2]),
        ({"before": "bad", "label": "good"}, [1]),
        ({"llm": "good", "student": "bad"}, [2, 3, 5]),
        ({"words": "THING twice"}, [3, 5]),
        ({"words": "über"}, [2]),
        ({"words": "%"}, []),
        ({"words": "x4"}, [4]),
        ({"order": "least sure"}, [4, 2, 3, 5, 1]),
        ({"order": "most sure"}, [1, 3, 5, 2, 4]),
    ],
)
def test_rows_are_found_by_what_is_wanted(index, wanted, numbers):
    """Each filter alone and together; words in any case, in text or id, without wildcards."""
    assert numbers == _numbers(index, **wanted)


SEVERAL = ("a", "b", "c;d", "d")
ROWS_OF_SEVERAL = (
    ("1", "one", "a", 0.9, "llm", "a", "a;b", "ok", "a"),
    ("2", "two", "a;b", 0.9, "llm", "a;b", "a;b", "ok", "b;a"),
    ("3", "three", "(none)", 0.9, "llm", "(none)", "a", "ok", "(none)"),
    ("4", "", "", "", "failed", "", "", "empty_text", ""),
    ("5", "five", "c\\;d", 0.9, "llm", "c\\;d", "d", "ok", "d"),
)


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ({"label": "a"}, [1, 2]),
        ({"label": "a", "exactly": True}, [1]),
        ({"label": "a;b", "exactly": True}, [2]),
        ({"label": NONE}, [3]),
        ({"label": UNLABELLED}, [4]),
        ({"label": "c;d"}, [5]),
        ({"label": "d"}, []),
        ({"student": "b"}, [1, 2]),
        ({"before": "b"}, [1, 3]),
        ({"before": "b", "label": NONE}, [3]),
        ({"before": NONE}, []),
        ({"source": "failed"}, [4]),
        ({"wrong": True}, [5]),
    ],
)
def test_of_rows_with_several_labels_each_is_found(tmp_path, wanted, numbers):
    """Those that have it among others, or these and no others; `(none)` is an answer, and none is another thing."""
    before = [(name, text, "b", *others) for name, text, _, *others in (ROWS_OF_SEVERAL[0], ROWS_OF_SEVERAL[2])]
    previous = _version(tmp_path / "before", before, labels=SEVERAL)
    version = _version(tmp_path / "now", ROWS_OF_SEVERAL, labels=SEVERAL, queue=())
    build_row_index(version, tmp_path / "now.sqlite", previous=previous)
    assert numbers == _numbers(RowIndex(tmp_path / "now.sqlite"), **wanted)


def test_pages_hold_every_row_once(index):
    """And the total does not depend on the page."""
    pages = [index.find(RowFilter(), skip=skip, limit=2) for skip in (0, 2, 4)]
    assert [5, 5, 5] == [total for total, _ in pages]
    assert [1, 2, 3, 4, 5] == [row.number for _, rows in pages for row in rows]


def test_the_queue_the_facts_and_the_texts_are_kept(index):
    """What a page shows of a version."""
    [queued] = index.queue()
    assert (2, 1, "looks wrong", ("good: fine",)) == (queued.number, queued.count, queued.why, queued.nearest)
    about = index.about()
    assert ({"good": "fine", "bad": ""}, ("text",), True, True) == (
        about.labels,
        about.text_columns,
        about.has_truth,
        about.has_earlier,
    )
    assert {"a good thing, twice": (3, 2)} == index.holding(["a good thing, twice", "unheard of"])
    assert {"good": 3, "": 1, "bad": 1} == index.counts("label")


def test_semicolons_quotes_and_line_breaks_are_read(tmp_path):
    """As the version's own writer left them."""
    folder, text = tmp_path / "odd", 'semi;colon "quoted"\nand a line'
    _version(folder, [("a", text, *ROWS[0][2:])], delimiter=";", queue=())
    build_row_index(folder, tmp_path / "odd.sqlite")
    [row] = RowIndex(tmp_path / "odd.sqlite").find(RowFilter())[1]
    assert (text, None) == (row.text, row.before)


def test_an_index_tells_whether_it_is_of_these_files(tmp_path):
    """A changed table, or another version before it, makes it another one."""
    version, previous = _version(tmp_path / "now"), _version(tmp_path / "before")
    build_row_index(version, tmp_path / "x.sqlite", previous=previous)
    mark = RowIndex(tmp_path / "x.sqlite").about().mark
    assert mark == mark_of_index(version, previous)
    assert mark != mark_of_index(version, None)
    with (version / "annotated.csv").open("a") as stream:
        stream.write("\n")
    assert mark != mark_of_index(version, previous)


@pytest.mark.parametrize("name", ["annotated.csv", "run.json", "model/freeal.json"])
def test_a_version_without_its_files_says_which_is_missing(tmp_path, name):
    """And leaves no index behind."""
    version = _version(tmp_path / "now")
    (version / name).unlink()
    with pytest.raises(CorruptModelError):
        build_row_index(version, tmp_path / "x.sqlite")
    assert [] == list(tmp_path.glob("*.sqlite*"))


def test_what_is_no_index_is_told(tmp_path):
    """With its place, and that it may be deleted."""
    path = tmp_path / "x.sqlite"
    path.write_text("no database")
    with pytest.raises(CorruptModelError, match="delete it"):
        RowIndex(path).about()
