"""What a promise costs in rows without a label, and how often it is broken: part of `make bench-certify`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from recorded_files import RecordedFile

from freeal.certification import promise, sheet_draw
from freeal.certification.certificate import Looked

DRAWS, ROWS = 200, 200
RIGHT = (0.8, 0.9, 0.95)


def lines(file: RecordedFile, *, draws: int = DRAWS) -> list[str]:
    """A row of the table for each promise and scope: of the sheets that could promise anything, how many labels the
    student kept and how many promises were broken on the whole file."""
    right = file.frame.student == file.truth
    sure = file.proba.max(axis=1)[np.array(file.pool.row_index)]
    found = []
    for share in RIGHT:
        for scope in ("label", "all"):
            kept, broken = [], 0
            for seed in range(draws):
                draw = sheet_draw.draw_sheet_rows(file.frame, ROWS, seed=seed)
                looked = Looked({row: str(file.truth[row]) for row in draw.drawn()}, 0)
                told = promise.find_promise(file.frame, looked, sure, labels=file.labels, right=share, scope=scope)
                masks = {
                    name: (sure >= one.threshold) & ((file.frame.student == name) | (name == promise.ALL))
                    for name, one in told.labels.items()
                    if one.threshold is not None
                }
                kept.append(told.coverage)
                broken += any(right[mask].mean() < share for mask in masks.values())
            cells = (file.name, f"{right.mean():.1%}", f"{share:.0%}", scope, f"{np.mean(kept):.1%}")
            given = f"{np.mean(np.array(kept) > 0):.1%}"
            found.append(f"| {' | '.join(cells)} | {given} | {broken / draws:.1%} |")
    return found


def table(rows: Sequence[str]) -> str:
    """The rows with their head."""
    head = "| file | student right | promised | scope | rows that keep a label | sheets that could promise | broken |"
    note = f"{DRAWS} sheets of {ROWS} rows each; a promise may be broken in one of twenty."
    return "\n".join([head, "| --- | --- | --- | --- | --- | --- | --- |", *rows, "", note])
