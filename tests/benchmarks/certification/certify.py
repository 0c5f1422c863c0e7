"""Does the interval of a blind sheet hold, and how wide is it? Thousands of sheets, from files whose truth is known.

Run by `make bench-certify`. A file is a data set with recorded answers of a language model and the student that learned
from them; a sheet is drawn as `python -m freeal certify` draws it and filled in with the truth. Beside it stands what
the same number of rows drawn by chance alone gives (Clopper and Pearson's interval, and Wilson's).
"""

# ruff: noqa: T201 - a command line prints

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "shared"))

import certify_tables
import numpy as np
import promises
from place import ROOT
from recorded_files import RecordedFile, frozen_trainer, recorded_files

from freeal.certification import sheet_draw
from freeal.certification.certificate import Looked, measure_right_share
from freeal.certification.certified_json_file import CertifiedRows
from freeal.evaluation import confidence_intervals
from freeal.evaluation.confidence_intervals import wilson

DRAWS = 2_000
ROWS = (40, 100, 200)


@dataclasses.dataclass
class Counted:
    """Intervals of many sheets: how many held, and the sum of their widths; a nan width is a sheet without one."""

    held: int = 0
    drawn: int = 0
    width: float = 0.0

    def add(self, low: float, high: float, truth: float) -> None:
        """One more."""
        self.drawn += 1
        self.held += low - 1e-9 <= truth <= high + 1e-9
        self.width += high - low


@dataclasses.dataclass
class Sheets:
    """What many sheets of one file and size came to."""

    file: str
    rows: int
    accuracy: float
    ours: Counted
    ppi: int
    exact: Counted
    wilson: Counted
    per_label: Counted
    per_source: Counted


def sheets(file: RecordedFile, rows: int, *, draws: int) -> Sheets:
    """Draw `draws` sheets of so many rows and count."""
    frame, truth = file.frame, file.truth
    right = frame.label == truth
    accuracy = float(right.mean())
    masks = {name: frame.label == name for name in file.labels}
    sources = {name: frame.source == name for name in sorted(set(frame.source))}
    found = Sheets(file.name, rows, accuracy, *(Counted(), 0, Counted(), Counted(), Counted(), Counted()))
    rng = np.random.default_rng(0)
    for seed in range(draws):
        draw = sheet_draw.draw_sheet_rows(frame, rows, seed=seed)
        answers = {line.row: str(truth[line.row]) for line in draw.lines}
        looked = Looked.at(CertifiedRows(draw, {}, answers=answers), frame)
        one = measure_right_share(frame, looked, frame.label)
        found.ours.add(one.low, one.high, accuracy)
        found.ppi += one.prediction_powered
        for counted, parts in ((found.per_label, masks), (found.per_source, sources)):
            for mask in parts.values():
                if mask.any():
                    part = measure_right_share(frame, looked, frame.label, only=mask)
                    counted.add(part.low, part.high, float(right[mask].mean()))
        hits = int(right[rng.choice(len(right), size=one.looked_at, replace=False)].sum())
        found.exact.add(*confidence_intervals.clopper_pearson(hits, one.looked_at), accuracy)
        found.wilson.add(*wilson(hits, one.looked_at), accuracy)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 0 also where the data is missing, which is said."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-folder", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--rows", type=int, nargs="+", default=list(ROWS))
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into that file's section")
    chosen = parser.parse_args(arguments)
    found: list[Sheets] = []
    kept: list[str] = []
    for file in recorded_files(chosen.data_folder, frozen_trainer()):
        for rows in chosen.rows:
            found.append(sheets(file, rows, draws=chosen.draws))
            print(certify_tables.line(found[-1]), flush=True)
        kept += promises.lines(file)
    if not found:
        print(f"no data in {chosen.data_folder}: --data-folder names it", file=sys.stderr)
        return 0
    print(table := f"{certify_tables.table(found, draws=chosen.draws)}\n\n{promises.table(kept)}")
    if chosen.write:
        certify_tables.write(chosen.write, table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
