"""From the answers of a sheet to figures (freeal/certification/certificate.py)."""

from __future__ import annotations

import pytest

from freeal.certification import certified_json_file
from freeal.certification.blind_sheet import CANNOT_SAY, NONE_FITS
from freeal.certification.certificate import Looked, certificate_for_version, certified_figures, measure_right_share
from freeal.certification.certified_json_file import CertifiedRows
from freeal.certification.sheet_draw import draw_sheet_rows

LABELS = ("a", "b", "c")


def _answered(known, *, rows=100, seed=0, lines=None):
    drawn = draw_sheet_rows(known.frame, rows, seed=seed)
    certified = certified_json_file.certified_rows_of_draw(drawn, known.pool)
    answers = {line.row: str(known.truth[line.row]) for line in drawn.lines[:lines]}
    return CertifiedRows(drawn, certified.texts, certified.rows_sha256, answers, "2026-11-29")


def test_the_interval_of_a_file_holds_and_is_narrower_than_by_chance(known_file):
    """300 sheets of 80 rows: the truth is within in 93 % at least, and so many rows by chance would tell less."""
    known = known_file(2_000)
    right = known.frame.label == known.truth
    held = worth = 0
    for seed in range(300):
        one = measure_right_share(
            known.frame, Looked.at(_answered(known, rows=80, seed=seed), known.frame), known.frame.label
        )
        held += one.low <= right.mean() <= one.high
        worth += one.worth
    assert held / 300 >= 0.93
    assert worth / 300 > 80


def test_figures_tell_of_file_label_and_source(known_file):
    """Counts add up; each part has its own rows and its own interval around what it is."""
    known = known_file(2_000)
    found = certified_figures(_answered(known, rows=200), known.frame, LABELS, version="v")
    assert (2_000, 200, 0, 0) == (found["rows"], found["texts"], found["cannot_say"], found["none_fits"])
    assert 2_000 == sum(one["rows"] for one in found["per_label"].values())
    assert ["llm", "llm+student"] == list(found["per_source"])
    for part, said in (("per_label", known.frame.label), ("per_source", known.frame.source)):
        for name, one in found[part].items():
            right = (known.frame.label == known.truth)[said == name].mean()
            assert one["interval"][0] <= right <= one["interval"][1]
    assert 200 == sum(one["looked_at"] for one in found["drawn"]["strata"])


def test_a_label_nobody_looked_at_has_no_accuracy(known_file):
    """It stands there with its rows, and nothing is claimed."""
    found = certified_figures(_answered(known_file(60), rows=40), known_file(60).frame, (*LABELS, "d"), version="v")
    assert {"rows": 0, "looked_at": 0} == found["per_label"]["d"]


def test_a_sheet_left_half_empty_at_its_end_counts_as_far_as_it_was_filled(known_file):
    """Whoever stops has looked at rows drawn by chance all the same: nothing was passed over."""
    known = known_file()
    found = certified_figures(_answered(known, lines=45), known.frame, LABELS, version="v")
    assert (45, 0) == (found["texts"], found["cannot_say"])


def test_what_was_passed_over_is_wrong_for_the_lower_end_and_right_for_the_upper_one(known_file):
    """Ten lines nobody could judge make the interval wider on both sides."""
    known = known_file()
    whole = _answered(known)
    hard = [line.row for line in whole.draw.lines[:10]]
    answers = {row: CANNOT_SAY if row in hard else answer for row, answer in whole.answers.items()}
    unsure = CertifiedRows(whole.draw, whole.texts, whole.rows_sha256, answers, whole.day)
    before = certified_figures(whole, known.frame, LABELS, version="v")["labels"]["interval"]
    after = certified_figures(unsure, known.frame, LABELS, version="v")
    assert 10 == after["cannot_say"]
    assert after["labels"]["interval"][0] < before[0] - 0.02
    assert after["labels"]["interval"][1] >= before[1]


def test_no_label_fits_is_a_mistake(known_file):
    """A line answered so counts as wrong."""
    known = known_file()
    whole = _answered(known)
    answers = dict.fromkeys(whole.answers, NONE_FITS)
    found = certified_figures(CertifiedRows(whole.draw, {}, "", answers, ""), known.frame, LABELS, version="v")
    assert (0.0, 100) == (found["labels"]["accuracy"], found["none_fits"])


def test_so_many_more_rows_make_it_three_points(known_file):
    """With the rows it asks for, the interval comes out about three points to either side."""
    known = known_file(4_000)
    more = certified_figures(_answered(known), known.frame, LABELS, version="v")["more_rows"]["rows"]
    longer = _answered(known, rows=100 + more)
    low, high = certified_figures(longer, known.frame, LABELS, version="v")["labels"]["interval"]
    assert more > 100
    assert 0.03 == pytest.approx((high - low) / 2, abs=0.006)


def test_the_same_answers_measure_another_version_of_the_same_rows(known_file):
    """The strata are those of the draw, whatever the new version is sure of; other rows are not measured."""
    known, other = known_file(), known_file(seed=1)
    certified = _answered(known)
    told = {"labels": LABELS, "said": (), "version": "v2"}
    assert "accuracy" in certificate_for_version(certified, known.pool, other.decisions, **told)["labels"]
    assert certificate_for_version(certified, other.pool, other.decisions, **told) is None


def test_a_text_that_was_corrected_since_withdraws_the_figures(known_file):
    """One such text is enough."""
    known = known_file()
    certified = _answered(known)
    said = {certified.texts[certified.draw.lines[0].row]}
    found = certificate_for_version(certified, known.pool, known.decisions, labels=LABELS, said=said, version="v2")
    assert {"withdrawn": {"texts": 1, "day": "2026-11-29"}} == found
