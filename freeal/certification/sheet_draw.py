"""Which rows a blind sheet shows: drawn by chance within strata, most where mistakes are likely.

Half of the rows are shared out by the strata's sizes, as chance alone would draw them; the other half goes where a look
tells most (Neyman 1934): by size times the spread of being right, as far as the models' own confidence can say. Within
a stratum every row is as likely as another, so whatever the confidence is worth, the figures hold.

Rows with the same text, or nearly the same, are one line of the sheet: it is looked at once and counts for each of them
that was drawn.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from freeal.certification.sampling_frame import LEFT_OUT, NOT_AGREED, STRATA, Frame

BY_CHANCE = 0.5
"""Share of the rows that is shared out by size."""
LEAST_OF_A_STRATUM = 4
_STREAM = 0xCE27
"""Keeps these draws apart from others of the same seed."""
_PRIOR_WRONG = (0.03, 0.07, 0.15, 0.45)
"""Of each stratum, beside what the confidences say: those are too sure of themselves."""
_CODES = "0123"
_NONE = "-"


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """A line of the sheet: the row it shows and all drawn rows it stands for, that one among them (counted from 0)."""

    row: int
    stands_for: tuple[int, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Draw:
    """A drawn sheet: its lines in the order they are shown, and the stratum of each row (int8 [rows])."""

    seed: int
    lines: tuple[Line, ...]
    stratum: np.ndarray

    def drawn(self) -> list[int]:
        """All rows that were drawn."""
        return [row for line in self.lines for row in line.stands_for]

    def as_dict(self) -> dict[str, Any]:
        """For a file; `Draw.of` is the same again."""
        codes = "".join(_NONE if one == LEFT_OUT else _CODES[one] for one in self.stratum.tolist())
        lines = [{"row": line.row + 1, "stands_for": [row + 1 for row in line.stands_for]} for line in self.lines]
        return {"seed": self.seed, "strata": list(STRATA), "stratum_of_rows": codes, "lines": lines}

    @classmethod
    def of(cls, content: dict[str, Any]) -> Draw:
        """From `as_dict`. Raises KeyError, TypeError or ValueError for anything else."""
        if content["strata"] != list(STRATA):
            raise ValueError("strata of another version of this software")
        stratum = [LEFT_OUT if code == _NONE else _CODES.index(code) for code in content["stratum_of_rows"]]
        lines = tuple(Line(one["row"] - 1, tuple(row - 1 for row in one["stands_for"])) for one in content["lines"])
        rows = [row for line in lines for row in line.stands_for]
        if not all(0 <= row < len(stratum) and stratum[row] != LEFT_OUT for row in rows):
            raise ValueError("a line is no row of the file")
        return cls(content["seed"], lines, np.array(stratum, dtype=np.int8))


def draw_sheet_rows(frame: Frame, rows: int, *, seed: int, before: Draw | None = None) -> Draw:
    """A sheet of `rows` rows (all of them where there are fewer); the same for the same seed.

    `before` is the sheet that is to become longer: its lines stay, in its order, and its seed counts; the new ones come
    after them.
    """
    if before is not None:
        seed = before.seed
        frame = frame.with_strata(before.stratum)
    sizes = np.array([(frame.stratum == one).sum() for one in range(len(STRATA))])
    taken = set(before.drawn()) if before else set()
    have = np.array([sum(frame.stratum[row] == one for row in taken) for one in range(len(STRATA))])
    counts = np.maximum(have, allocation_to_strata(sizes, _wrong(frame), rows))
    rng = np.random.default_rng([seed, _STREAM])
    orders = [rng.permutation(np.flatnonzero(frame.stratum == one)).tolist() for one in range(len(STRATA))]
    fresh: list[int] = []
    for order, count, there in zip(orders, counts.tolist(), have.tolist(), strict=True):
        fresh += [row for row in order if row not in taken][: count - there]
    lines = _lines_of_sheet(frame, fresh, before.lines if before else (), rng)
    return Draw(seed, lines, frame.stratum if before is None else before.stratum)


def allocation_to_strata(sizes: np.ndarray, wrong: np.ndarray, rows: int) -> np.ndarray:
    """How many of `rows` are drawn from each stratum, int [strata]: BY_CHANCE of them by size, the rest by size times
    the spread of being `wrong` (the expected share, float [strata])."""
    total = int(sizes.sum())
    rows = min(rows, total)
    if not rows:
        return np.zeros(len(sizes), dtype=np.int64)
    spread = sizes * np.sqrt(wrong * (1.0 - wrong))
    wanted = rows * (BY_CHANCE * sizes / total + (1.0 - BY_CHANCE) * spread / spread.sum())
    least = np.minimum(sizes, min(LEAST_OF_A_STRATUM, rows // len(sizes)))
    counts = np.clip(np.floor(wanted).astype(np.int64), least, sizes)
    while counts.sum() < rows:  # the remainders, and what a full stratum could not take
        open_ones = np.where(counts < sizes, wanted - counts, -np.inf)
        counts[int(np.argmax(open_ones))] += 1
    while counts.sum() > rows:
        spare = np.where(counts > least, counts - wanted, -np.inf)
        counts[int(np.argmax(spare))] -= 1
    return np.asarray(counts)


def _wrong(frame: Frame) -> np.ndarray:
    inside = [frame.confidence[frame.stratum == one] for one in range(len(STRATA))]
    told = [1.0 - float(confidence.mean()) if len(confidence) else 0.5 for confidence in inside]
    return np.asarray(np.clip((np.array(told) + np.array(_PRIOR_WRONG)) / 2, 0.02, 0.5))


def expected_wrong_by_stratum(right: Sequence[int], looked_at: Sequence[int]) -> np.ndarray:
    """Share wrong of each stratum after a look, never 0; where nothing was looked at, as for rows not agreed on."""
    return np.array(
        [
            1.0 - (hits + 0.5) / (of + 1.0) if of else _PRIOR_WRONG[NOT_AGREED]
            for hits, of in zip(right, looked_at, strict=True)
        ]
    )


def _lines_of_sheet(
    frame: Frame, fresh: Sequence[int], before: Sequence[Line], rng: np.random.Generator
) -> tuple[Line, ...]:
    """New rows with a text that is on the sheet join its line; the others come after it, shuffled."""
    members: dict[int, list[int]] = {int(frame.group[line.row]): list(line.stands_for) for line in before}
    shown = {int(frame.group[line.row]): line.row for line in before}
    order = list(shown)
    new: list[int] = []
    for row in rng.permutation(np.array(fresh, dtype=np.int64)).tolist():
        group = int(frame.group[row])
        if group not in members:
            members[group], shown[group] = [], row
            new.append(group)
        members[group].append(row)
    return tuple(Line(shown[group], tuple(members[group])) for group in [*order, *new])
