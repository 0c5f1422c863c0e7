"""Thresholds that keep a promise (freeal/certification/promise.py)."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from freeal.certification import promise
from freeal.certification.certificate import Looked
from freeal.certification.sampling_frame import Frame
from freeal.certification.sheet_draw import draw_sheet_rows

LABELS = ("a", "b")


def _file(rows=4_000, *, seed=0, floor=0.5):
    """A student that is right with probability `floor` at confidence 0 and always at confidence 1."""
    rng = np.random.default_rng(seed)
    sure = rng.uniform(size=rows)
    truth = rng.choice(LABELS, size=rows).astype(object)
    right = rng.uniform(size=rows) < floor + (1 - floor) * np.sqrt(sure)
    other = np.where(truth == "a", "b", "a").astype(object)
    student = np.where(right, truth, other).astype(object)
    stratum = np.where(sure > 0.6, 0, np.where(sure > 0.3, 1, np.where(sure > 0.1, 2, 3))).astype(np.int8)
    source = np.array(["llm"] * rows, dtype=object)
    return Frame(stratum, np.arange(rows), student, student, source, sure, {}), truth, sure


def _looked(frame, truth, *, rows, seed):
    return Looked({row: truth[row] for row in draw_sheet_rows(frame, rows, seed=seed).drawn()}, 0)


@pytest.mark.parametrize(("scope", "floor"), [("label", 0.8), ("all", 0.5)])
def test_what_is_promised_is_kept_in_95_of_100_draws(scope, floor):
    """150 sheets of 200 rows: the labels that are given are right as promised, all of them at once, but in 8 % at most
    (one promise in twenty may fail, and this is a sample)."""
    frame, truth, sure = _file(floor=floor)
    right = frame.student == truth
    broken = given = 0
    for seed in range(150):
        looked = _looked(frame, truth, rows=200, seed=seed)
        found = promise.find_promise(frame, looked, sure, labels=LABELS, right=0.9, scope=scope)
        kept = {name: one for name, one in found.labels.items() if one.threshold is not None}
        masks = [(sure >= one.threshold) & ((frame.student == name) | (name == "")) for name, one in kept.items()]
        broken += any(right[mask].mean() < 0.9 for mask in masks)
        given += bool(kept)
    assert broken / 150 <= 0.08
    assert given / 150 > 0.4


def test_few_rows_promise_nothing_and_say_how_many_it_takes():
    """Forty rows cannot prove 99 %: no threshold, no coverage, and the fewest rows that could."""
    frame, truth, sure = _file(floor=0.99)
    found = promise.find_promise(
        frame, _looked(frame, truth, rows=40, seed=0), sure, labels=LABELS, right=0.99, scope="all"
    )
    one = found.labels[promise.ALL]
    assert (None, 299, 0.0) == (one.threshold, one.needed, found.coverage)


def test_a_student_that_is_always_right_keeps_all_its_labels():
    """The search goes down to the least sure row, and the bound is that of the rows looked at."""
    frame, truth, sure = _file(floor=1.0)
    found = promise.find_promise(
        frame, _looked(frame, truth, rows=200, seed=0), sure, labels=LABELS, right=0.95, scope="all"
    )
    one = found.labels[promise.ALL]
    assert (1.0, 1.0) == (one.share, found.coverage)
    assert 0.01 < one.error <= 0.05


def test_where_the_search_begins_does_not_depend_on_what_was_seen():
    """A student that is always wrong is promised nothing: the first bound ends the search."""
    frame, truth, sure = _file()
    wrong = dataclasses.replace(frame, student=np.where(truth == "a", "b", "a").astype(object))
    found = promise.find_promise(
        wrong, _looked(wrong, truth, rows=200, seed=0), sure, labels=LABELS, right=0.9, scope="all"
    )
    assert found.labels[promise.ALL].threshold is None


def test_the_fewest_rows_that_prove_a_share():
    """59 right ones for 95 % at 95 % (the rule of three), 93 where two labels share the level."""
    assert 59 == promise.fewest(0.95, level=0.95)
    assert 72 == promise.fewest(0.95, level=0.975)
