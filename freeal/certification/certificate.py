"""From the answers of a blind sheet to figures that hold at 95 %: the `certified` part of metrics.json."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Container, Mapping, Sequence
from typing import Any

import numpy as np

from freeal.certification import sheet_draw, stratified_interval
from freeal.certification.blind_sheet import CANNOT_SAY, NONE_FITS
from freeal.certification.certified_json_file import CertifiedRows
from freeal.certification.sampling_frame import LEFT_OUT, STRATA, Frame, frame_of
from freeal.certification.stratified_interval import Estimate, Stratum
from freeal.pool import near_duplicates
from freeal.pool.text_pool import Pool
from freeal.types import Decision

WANTED_POINTS = 3.0
"""Half of an interval's width, in percentage points, for which it is said how many more rows it takes."""


@dataclasses.dataclass(frozen=True, slots=True)
class Looked:
    """The rows of a frame that a person's answers speak about, by row: the truth, None where they could not say.

    Lines left empty before the last one that was answered count as such: who skips what is hard to tell leaves the easy
    ones. Lines after it were not reached, and chance alone decided which those are.
    """

    truth: Mapping[int, str | None]
    skipped: int

    @classmethod
    def at(cls, certified: CertifiedRows, frame: Frame) -> Looked:
        """From the answers, for the rows that are in the frame still."""
        lines = certified.draw.lines
        answered = [place for place, line in enumerate(lines) if line.row in certified.answers]
        reached = lines[: answered[-1] + 1] if answered else ()
        truth: dict[int, str | None] = {}
        for line in reached:
            answer = certified.answers.get(line.row, CANNOT_SAY)
            for row in line.stands_for:
                if frame.stratum[row] != LEFT_OUT:
                    truth[row] = None if answer == CANNOT_SAY else answer
        skipped = sum(certified.answers.get(line.row, CANNOT_SAY) == CANNOT_SAY for line in reached)
        return cls(truth, skipped)


def certified_figures(
    certified: CertifiedRows, frame: Frame, labels: Sequence[str], *, version: str, learned_from: int | None = None
) -> dict[str, Any]:
    """The figures of one version, whose rows and decisions are the `frame`'s, in plain data.

    `labels` (the final ones) and `student` (the published classifier on the same rows) are measured over the file, then
    the final labels by label and by source. A label that no line of the sheet has got stands there without an accuracy.
    The student learned from `learned_from` of the texts that were looked at; None: from all.
    """
    frame = frame.with_strata(certified.draw.stratum)
    looked = Looked.at(certified, frame)
    final = measure_right_share(frame, looked, frame.label)
    answers = [answer for line in certified.draw.lines if (answer := certified.answers.get(line.row)) is not None]
    sources = sorted(set(frame.source[frame.stratum != LEFT_OUT]))
    return {
        "version": version,
        "day": certified.day,
        "rows": final.rows,
        "left_out": frame.left_out,
        "texts": len(answers),
        "learned_from": len(answers) if learned_from is None else learned_from,
        "cannot_say": looked.skipped,
        "none_fits": sum(answer == NONE_FITS for answer in answers),
        "labels": estimate_as_dict(final),
        "student": estimate_as_dict(measure_right_share(frame, looked, frame.student)),
        "per_label": {
            name: estimate_as_dict(measure_right_share(frame, looked, frame.label, only=frame.label == name))
            for name in labels
        },
        "per_source": {
            name: estimate_as_dict(measure_right_share(frame, looked, frame.label, only=frame.source == name))
            for name in sources
        },
        "more_rows": {"points": WANTED_POINTS, "rows": more_rows(frame, looked, final)},
        "drawn": _draw_by_stratum(certified, frame, looked),
    }


def certificate_for_version(
    certified: CertifiedRows,
    pool: Pool,
    decisions: Sequence[Decision],
    *,
    labels: Sequence[str],
    said: Container[str],
    version: str,
    learned_from: int | None = None,
) -> dict[str, Any] | None:
    """The `certified` part of a version's metrics.json, from what was drawn and answered for it or for one before it.

    None where nothing was answered yet, or its rows are others than those that were drawn from. `said` holds the texts
    that a person corrected: where one of them was looked at, the models were told, and the figures are withdrawn.
    """
    if not certified.answers or not certified.is_of(pool):
        return None
    if told := certified.told(said):
        return {"withdrawn": {"texts": len(told), "day": certified.day}}
    grouped = dataclasses.replace(pool, groups=near_duplicates.near_duplicate_groups(pool.texts))
    frame = frame_of(grouped, decisions)
    return certified_figures(certified, frame, labels, version=version, learned_from=learned_from)


def measure_right_share(
    frame: Frame,
    looked: Looked,
    said: np.ndarray,
    *,
    only: np.ndarray | None = None,
    level: float = stratified_interval.LEVEL,
) -> Estimate:
    """How often what was `said` of each row (object [rows]) is right, of all rows of the frame or `only` some (bool).

    Rows that could not be judged are wrong for the lower end and right for the upper one.
    """
    cells = _cells_of_strata(frame, looked, said, only)
    known = stratified_interval.stratified_estimate(_joined_strata(cells, unclear=None), level=level)
    if not any(one.unclear for one in cells):
        return known
    low = stratified_interval.stratified_estimate(_joined_strata(cells, unclear=0.0), level=level)
    high = stratified_interval.stratified_estimate(_joined_strata(cells, unclear=1.0), level=level)
    return dataclasses.replace(known, low=min(low.low, known.low), high=max(high.high, known.high))


@dataclasses.dataclass(frozen=True, slots=True)
class _Cell:
    """What was seen of a stratum: its confidences, and of the rows looked at 1.0, 0.0, or nan where nobody can say."""

    everything: np.ndarray
    right: np.ndarray
    confidences: np.ndarray

    @property
    def unclear(self) -> int:
        return int(np.isnan(self.right).sum())

    def stratum(self, unclear: float | None) -> Stratum:
        keep = ~np.isnan(self.right) if unclear is None else np.ones(len(self.right), dtype=bool)
        right = self.right if unclear is None else np.nan_to_num(self.right, nan=unclear)
        mean = float(self.everything.mean()) if len(self.everything) else 0.0
        return Stratum(len(self.everything), right[keep], self.confidences[keep], mean)

    def with_(self, other: _Cell) -> _Cell:
        pairs = ((self.everything, other.everything), (self.right, other.right), (self.confidences, other.confidences))
        return _Cell(*(np.concatenate(pair) for pair in pairs))


def _cells_of_strata(frame: Frame, looked: Looked, said: np.ndarray, only: np.ndarray | None) -> list[_Cell]:
    wanted = frame.stratum if only is None else np.where(only, frame.stratum, LEFT_OUT)
    seen: list[list[int]] = [[] for _ in STRATA]
    for row in looked.truth:
        if wanted[row] != LEFT_OUT:
            seen[wanted[row]].append(row)
    return [
        _Cell(
            frame.confidence[wanted == stratum],
            np.array([_right(said[row], looked.truth[row]) for row in rows], dtype=float),
            frame.confidence[rows],
        )
        for stratum, rows in enumerate(seen)
    ]


def _right(said: str, truth: str | None) -> float:
    return math.nan if truth is None else float(said == truth)


def _joined_strata(cells: Sequence[_Cell], *, unclear: float | None) -> list[Stratum]:
    """The strata of the cells. One in which nothing could be judged is joined with the next, whose rows are less sure;
    after the last it stays alone, and then nothing is known of it."""
    strata: list[Stratum] = []
    waiting: _Cell | None = None
    for cell in cells:
        if not len(cell.everything):
            continue
        joined = cell if waiting is None else waiting.with_(cell)
        stratum = joined.stratum(unclear)
        waiting = None if len(stratum.right) else joined
        if waiting is None:
            strata.append(stratum)
    return [*strata, waiting.stratum(unclear)] if waiting is not None else strata


def more_rows(frame: Frame, looked: Looked, now: Estimate) -> int:
    """How many more rows make the interval of the file WANTED_POINTS wide to either side, as things look."""
    wanted = WANTED_POINTS / 100
    if (now.high - now.low) / 2 <= wanted:
        return 0
    cells = [cell.stratum(None) for cell in _cells_of_strata(frame, looked, frame.label, None)]
    sizes = np.array([one.rows for one in cells])
    wrong = sheet_draw.expected_wrong_by_stratum(
        [int(one.right.sum()) for one in cells], [len(one.right) for one in cells]
    )
    have = sum(len(one.right) for one in cells)
    low, high = have, int(sizes.sum())
    while low + 1 < high:
        middle = (low + high) // 2
        drawn = sheet_draw.allocation_to_strata(sizes, wrong, middle)
        half = stratified_interval.half_width_of_interval(sizes / sizes.sum(), wrong, drawn.astype(float), rows=sizes)
        low, high = (low, middle) if half <= wanted else (middle, high)
    return high - have


def _draw_by_stratum(certified: CertifiedRows, frame: Frame, looked: Looked) -> dict[str, Any]:
    drawn, looked_at = certified.draw.drawn(), list(looked.truth)
    strata = [
        {
            "name": name,
            "rows": int((frame.stratum == stratum).sum()),
            "drawn": int((frame.stratum[drawn] == stratum).sum()),
            "looked_at": int((frame.stratum[looked_at] == stratum).sum()),
        }
        for stratum, name in enumerate(STRATA)
    ]
    return {
        "seed": certified.draw.seed,
        "lines": len(certified.draw.lines),
        "rows": len(drawn),
        "by_chance": sheet_draw.BY_CHANCE,
        "strata": strata,
    }


def estimate_as_dict(estimate: Estimate) -> dict[str, Any]:
    """An estimate for metrics.json."""
    found: dict[str, Any] = {"rows": estimate.rows, "looked_at": estimate.looked_at}
    if estimate.share is None:
        return found
    return found | {
        "accuracy": round(estimate.share, 4),
        "interval": [round(estimate.low, 4), round(estimate.high, 4)],
        "worth_by_chance": round(estimate.worth, 1) if math.isfinite(estimate.worth) else estimate.rows,
        "method": "prediction-powered" if estimate.prediction_powered else "stratified",
    }
