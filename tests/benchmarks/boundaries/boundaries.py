"""Do the pairs that boundary questions name hold the errors? Real answers of five models on TREC, without truth.

Run by `make bench-boundaries`. For each model and seed: the part of the final labels' errors that lie in the named
pairs (the true label one, the final label the other), beside what as many pairs drawn by chance would hold and the most
that so many pairs can.
"""

# ruff: noqa: T201 - a command line prints

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "shared"))

import numpy as np
import sections
from place import ROOT
from recorded_files import RecordedFile, frozen_trainer, recorded_files

from freeal.boundaries.competing_labels import competing_labels

SEEDS = (0, 1, 2)
SECTION = "boundaries"


def covered(file: RecordedFile) -> tuple[int, float, float, float, float]:
    """(pairs named, share of errors in the first three, in all named, by chance for as many, at most for as many)."""
    found = competing_labels(file.pool, file.annotations, file.decisions, labels=file.labels, proba=file.proba)
    named = [frozenset(one.labels) for one in found]
    wrong = file.frame.label != file.truth
    pairs = [frozenset(one) for one in zip(file.frame.label[wrong], file.truth[wrong], strict=True)]
    counts = {pair: pairs.count(pair) for pair in set(pairs)}
    best = sorted(counts.values(), reverse=True)[: len(named)]
    size = len(file.labels)
    share = [sum(counts.get(pair, 0) for pair in part) / len(pairs) for part in (named[:3], named)]
    return len(named), *share, len(named) / (size * (size - 1) / 2), sum(best) / len(pairs)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 0 also where the data is missing, which is said."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-folder", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--rows", type=int, help="of each file, drawn by the seed; default: all")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into that file's section")
    chosen = parser.parse_args(arguments)
    trainer = frozen_trainer()
    found: dict[str, list[tuple[int, float, float, float, float]]] = {}
    for seed in chosen.seeds:
        files = recorded_files(chosen.data_folder, trainer, seed=seed, most_rows=chosen.rows, names=("trec_llms",))
        for file in files:
            found.setdefault(file.name, []).append(covered(file))
            print(seed, file.name, found[file.name][-1], flush=True)
    if not found:
        print(f"no data in {chosen.data_folder}: --data-folder names it", file=sys.stderr)
        return 0
    print(table := _table(found))
    if chosen.write:
        sections.replace(chosen.write, SECTION, table)
    return 0


def _table(found: dict[str, list[tuple[int, float, float, float, float]]]) -> str:
    head = "| answers of | pairs named | errors in the first three | errors in all named | by chance | at most |"
    lines = [head, "| --- | --- | --- | --- | --- | --- |"]
    for name, runs in found.items():
        values = np.array(runs)
        cells = [f"{values[:, 0].mean():.1f}", *(_spread(values[:, place]) for place in (1, 2, 3, 4))]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _spread(values: np.ndarray) -> str:
    return f"{values.mean() * 100:.1f} % ({values.min() * 100:.1f}-{values.max() * 100:.1f})"


if __name__ == "__main__":
    sys.exit(main())
