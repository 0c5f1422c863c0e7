"""A data set made ready for one cell: drawn rows as a CSV and a spec, as a user drops them, and the test rows."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import data_sets
from cells import Cell
from data_sets import DATA_SETS, LABEL_COLUMN
from methods import METHODS

from freeal.evaluation.metrics import Evaluation
from freeal.pool.text_pool import Pool, build_pool
from freeal.spec.job_spec import Spec
from freeal.table import read_table
from freeal.text.row_text import row_text

_TEST_SEED = 0
"""A part of the test rows is the same for every seed."""


@dataclasses.dataclass(frozen=True)
class Case:
    """`recorded` are recorded answers by pool index, where the data set has any; `test_labels` the true ones of
    `test_texts`."""

    csv: Path
    spec: Spec
    pool: Pool
    recorded: tuple[str | None, ...] | None
    test_texts: tuple[str, ...]
    test_labels: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Label names in the order of their ids."""
        return self.spec.task.names

    @property
    def evaluation(self) -> Evaluation:
        """Ground truth of the pool's rows."""
        return Evaluation.of(self.pool)

    @property
    def true_labels(self) -> list[str | None]:
        """The true label of each pool text, by its first row."""
        truth = self.pool.truth
        return [None if truth is None else truth[row] for row in self.pool.first_row]


def prepare(cell: Cell, *, data_folder: Path, work: Path) -> Case:
    """Draw the cell's rows and write them to `work`. Only the pool's truth knows the labels, as in a user's job."""
    data_set = DATA_SETS[cell.data]
    columns = data_set.text_columns
    rows = data_sets.draw(data_set, data_folder, split="train", rows=cell.rows, seed=cell.seed)
    test = data_sets.draw(data_set, data_folder, split="test", rows=cell.test_rows, seed=_TEST_SEED)
    file = work / f"{data_set.name}.csv"
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        header = (*columns, *data_set.other_columns, LABEL_COLUMN)
        writer.writerow(header)
        writer.writerows([row[name] for name in header] for row in rows)
    spec = Spec(
        name=data_set.name,
        description=data_set.description,
        labels=dict(data_set.labels),
        text_columns=columns,
        label_column=LABEL_COLUMN,
        **METHODS[cell.method].overrides.get("spec", {}),
    )
    pool = build_pool(read_table(file, spec.csv), spec)
    answers = data_sets.annotations(data_set, rows, seed=cell.seed)
    return Case(
        csv=file,
        spec=spec,
        pool=pool,
        recorded=None if answers is None else tuple(answers[row] for row in pool.first_row),
        test_texts=tuple(row_text(columns, [row[name] for name in columns]) for row in test),
        test_labels=tuple(row[LABEL_COLUMN] for row in test),
    )
