"""Which rows a blind sheet shows (freeal/certification/sheet_draw.py, sampling_frame.py)."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeal.certification.sampling_frame import LEFT_OUT, NOT_AGREED, frame_of
from freeal.certification.sheet_draw import Draw, allocation_to_strata, draw_sheet_rows
from freeal.pool.text_pool import EMPTY, Pool
from freeal.types import Decision


def _by_stratum(frame, rows):
    return Counter(frame.stratum[list(rows)].tolist())


def test_the_same_seed_draws_the_same_sheet(known_file):
    """And another seed another one."""
    frame = known_file().frame
    assert draw_sheet_rows(frame, 100, seed=3).lines == draw_sheet_rows(frame, 100, seed=3).lines
    assert set(draw_sheet_rows(frame, 100, seed=3).drawn()) != set(draw_sheet_rows(frame, 100, seed=4).drawn())


def test_as_many_rows_as_asked_for_and_more_where_mistakes_are_likely(known_file):
    """A hundred distinct rows; what was not agreed on is drawn more than by its size, and no stratum is left out."""
    frame = known_file().frame
    rows = draw_sheet_rows(frame, 100, seed=0).drawn()
    assert (100, 100) == (len(rows), len(set(rows)))
    share = {stratum: count / 100 for stratum, count in _by_stratum(frame, rows).items()}
    assert share[NOT_AGREED] > 1.05 * float((frame.stratum == NOT_AGREED).mean())
    assert {0, 1, 2, 3} == set(share)


def test_within_a_stratum_every_row_is_as_likely_as_another(known_file):
    """Over 400 seeds the first and the last half of a stratum are drawn equally often."""
    frame = known_file(200).frame
    counts = Counter(row for seed in range(400) for row in draw_sheet_rows(frame, 40, seed=seed).drawn())
    rows = np.flatnonzero(frame.stratum == NOT_AGREED)
    halves = [sum(counts[row] for row in part) / len(part) for part in np.array_split(rows, 2)]
    assert 1.0 == pytest.approx(halves[0] / halves[1], abs=0.06)


def test_a_text_that_stands_in_many_rows_is_one_line(known_file):
    """Rows with one text are looked at once and stand behind one line."""
    frame = known_file(30, copies=20).frame
    drawn = draw_sheet_rows(frame, 100, seed=0)
    assert 100 == len(drawn.drawn())
    shown = [frame.group[line.row] for line in drawn.lines]
    assert len(shown) == len(set(shown)) <= 30
    assert all(frame.group[line.row] == frame.group[row] for line in drawn.lines for row in line.stands_for)


def test_a_longer_sheet_keeps_the_lines_it_had(known_file):
    """What was filled in stays in its place; the new lines come after it, and none is drawn twice."""
    frame = known_file().frame
    short = draw_sheet_rows(frame, 60, seed=7)
    long = draw_sheet_rows(frame, 100, seed=0, before=short)
    assert list(short.lines) == list(long.lines[: len(short.lines)])
    assert 7 == long.seed
    assert len(long.drawn()) == len(set(long.drawn())) >= 100


def test_a_small_file_is_drawn_whole(known_file):
    """Of 25 rows a sheet of 100 holds 25."""
    assert list(range(25)) == sorted(draw_sheet_rows(known_file(25).frame, 100, seed=0).drawn())


def test_a_draw_is_the_same_after_it_was_written_down(known_file):
    """The form that a file holds loses nothing, and what is no draw is refused."""
    drawn = draw_sheet_rows(known_file().frame, 50, seed=2)
    again = Draw.of(drawn.as_dict())
    assert drawn.lines == again.lines
    assert drawn.stratum.tolist() == again.stratum.tolist()
    broken = drawn.as_dict() | {"lines": [{"row": 10_000, "stands_for": [10_000]}]}
    with pytest.raises(ValueError, match="no row"):
        Draw.of(broken)


def test_only_rows_that_a_model_labelled_are_in_the_frame():
    """Without text, without a label, labelled by a person: counted by reason, never drawn."""
    sure = Decision("a", 0.9, "llm+student", "a", "a", 0.9, 1)
    decisions = [
        sure,
        dataclasses.replace(sure, label=None, source="abstained"),
        dataclasses.replace(sure, source="corrected", llm_label=None),
    ]
    frame = frame_of(Pool(("x", "y", "z"), (0, EMPTY, 1, 2, 0), (0, 2, 3), ("text",)), decisions)
    assert [False, True, True, True, False] == (frame.stratum == LEFT_OUT).tolist()
    assert {"labelled_by_a_person": 1, "no_label": 1, "no_text": 1} == frame.left_out


@given(
    sizes=st.lists(st.integers(0, 5_000), min_size=4, max_size=4).filter(any),
    wrong=st.lists(st.floats(0.02, 0.5), min_size=4, max_size=4),
    rows=st.integers(1, 300),
)
def test_an_allocation_gives_out_what_there_is(sizes, wrong, rows):
    """Whatever the strata: the counts add up to the rows asked for, or to all there are, and none exceeds its size."""
    counts = allocation_to_strata(np.array(sizes), np.array(wrong), rows)
    assert min(rows, sum(sizes)) == counts.sum()
    assert all(0 <= count <= size for count, size in zip(counts.tolist(), sizes, strict=True))
