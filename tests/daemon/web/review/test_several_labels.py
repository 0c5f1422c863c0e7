"""Reviewing a model whose texts may have several labels: ticks in place of buttons, rows found by each label."""

from __future__ import annotations

import html
import re
import shutil

import pytest

from freeal.corrections import corrections_file
from freeal.table.csv_format import CsvFormat

QUEUE = "/models/reviews/review/queue"


@pytest.fixture
def visitor(several):
    """A page on it."""
    opened = several.stage.open()
    with several.stage.beside(several.stage.live.errands.run):
        yield opened


def _say(visitor, number, **said):
    page = visitor.get(f"{QUEUE}?row={number}").text
    fields = dict(re.findall(r'<input type="hidden" name="(number|key|seen)" value="([^"]*)"', page))
    return visitor.post(QUEUE + "/say", {**fields, **said})


def _ticked(visitor, number):
    page = visitor.get(f"{QUEUE}?row={number}").text
    return [
        html.unescape(name) for name in re.findall(r'type="checkbox" name="label" value="([^"]*)"[^>]* checked>', page)
    ]


def test_what_a_row_has_is_ticked(visitor):
    """Each of its labels; nothing where none applies, or nobody said anything."""
    assert [["good"], ["good", "late"], [], ["a;b"], []] == [_ticked(visitor, number) for number in range(1, 6)]


def test_what_is_ticked_becomes_a_correction_that_is_read(visitor, several):
    """In the order of the spec; none, with a button or without a tick, is an answer too; then the ticks are those."""
    assert 303 == _say(visitor, 1, label=["a;b", "good"], do="several").status_code
    assert 303 == _say(visitor, 2, label=["good", "late"], do="none", note="n").status_code
    assert 303 == _say(visitor, 3, do="several").status_code
    assert 303 == _say(visitor, 4, label="a;b", do="skip").status_code
    assert (["good", "a;b"], []) == (_ticked(visitor, 1), _ticked(visitor, 2))
    page = visitor.get("/models/reviews/review").text
    for said in ("these 3 corrections", "1 confirms", r"good → good;a\;b", "good;late → (none)"):
        assert said in page, said
    visitor.post(QUEUE + "/hand-in")
    [file] = several.dropped()
    found = corrections_file.read(
        file, CsvFormat(), text_columns=("text",), labels=("good", "late", "a;b"), kind="multi"
    )
    assert [r"good;a\;b", "(none)", "(none)"] == [one.label for one in found]


def test_a_label_that_is_none_by_now_is_refused(visitor, several):
    """The form is of an older version: nothing is saved, least of all that no label applies."""
    assert 400 == _say(visitor, 1, label=["good", "elsewhere"], do="several").status_code
    assert not (several.folder / "review").exists()


def test_no_sheet_and_no_boundary_questions_are_offered(visitor):
    """They are for one label each, which the page says."""
    page = visitor.get("/models/reviews/review").text
    assert ("this model's may have several" in page, "sheet/draw" in page) == (True, False)


def _rows(visitor, query):
    return [int(number) for number in re.findall(r"row (\d+) ·", visitor.get(f"/models/reviews/rows?{query}").text)]


def test_rows_are_found_by_each_label(visitor):
    """Alone or among others; that none applies is another thing than no answer."""
    for query, numbers in {
        "label=good": [1, 2, 6, 7, 11, 12],
        "label=good&exactly=1": [1, 6, 11],
        "label=a%3Bb": [4, 9],
        "label=%28none%29": [3, 8],
        "label=%28no+label%29": [5, 10],
    }.items():
        assert numbers == _rows(visitor, query), query


def test_what_moved_between_two_versions_leads_to_those_rows_alone(several):
    """Each combination is its own: as many rows behind the link as it says."""
    older = several.version.with_name("reviews-20251121-120000-abcdef")
    shutil.copytree(several.version, older)
    several.relabel(("good;late", "good", "", "(none)", "late"), older)
    visitor = several.stage.open()
    with several.stage.beside(several.stage.live.errands.run):
        page = visitor.get("/models/reviews/compare").text
        moves = re.findall(r'<li><a href="([^"]*)"><span class="n">(\d+)<', page)
        behind = [_rows(visitor, html.unescape(address).partition("?")[2]) for address, _ in moves]
    assert [int(number) for _, number in moves] == [len(rows) for rows in behind]
    assert [[1, 6, 11], [2, 7, 12], [3, 8], [4, 9], [5, 10]] == sorted(behind)
