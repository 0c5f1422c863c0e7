"""A cell is one measurement: a method on a data set with a seed, and everything else that makes it another number."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from typing import Any

from data_sets import DATA_SETS
from methods import METHODS, TABLES, Method

ABSENT = "none"
"""Language model or student of a cell that needs none."""
RECORDED = "recorded"
"""Language model of a cell that learns from recorded answers."""


@dataclasses.dataclass(frozen=True, slots=True)
class Cell:
    """What tells one measurement from another. `rows`, `test_rows`: None = all; `epochs`, `iterations`: None = the
    default of the settings. What a method does not depend on is None or ABSENT, so that no cell is measured twice."""

    data: str
    method: str
    seed: int
    rows: int | None
    test_rows: int | None
    llm: str
    student: str
    epochs: int | None
    iterations: int | None

    @property
    def key(self) -> str:
        """Equal for cells that measure the same thing; changes when the method's settings do."""
        return key_of(dataclasses.asdict(self), METHODS[self.method].overrides)

    def __str__(self) -> str:
        rows = "all rows" if self.rows is None else f"{self.rows} rows"
        parts = [self.data, self.method, f"seed {self.seed}", rows, self.llm]
        return " · ".join(part for part in parts if part != ABSENT)


@dataclasses.dataclass(frozen=True, slots=True)
class Selection:
    """What the command line asks for. None: what the table says."""

    tables: tuple[str, ...] = tuple(TABLES)
    data: tuple[str, ...] | None = None
    methods: tuple[str, ...] | None = None
    seeds: tuple[int, ...] = (0, 1, 2)
    rows: int | None = None
    test_rows: int | None = None
    llms: tuple[str, ...] = ("smollm2",)
    student: str = "minilm"
    epochs: int | None = None
    iterations: int | None = None


def key_of(cell: dict[str, Any], overrides: Any) -> str:
    """The key of a cell as plain data, as a record holds it."""
    return json.dumps([cell, overrides], sort_keys=True, default=dict)


def plan(selection: Selection) -> list[Cell]:
    """The cells of a selection, each once; a seed is complete before the next begins, so early tables are whole."""
    cells = [
        cell
        for table in selection.tables
        for seed in selection.seeds
        for data in chosen_data(selection, table)
        for cell in _of_data(selection, table, data, seed)
    ]
    return list(dict.fromkeys(cells))


def chosen_data(selection: Selection, table: str) -> list[str]:
    """The selected data sets of a table, in the table's order."""
    return [name for name in TABLES[table].data if selection.data is None or name in selection.data]


def cell_of(selection: Selection, table: str, *, data: str, method: str, llm: str, seed: int) -> Cell:
    """The cell a place of a table is filled from."""
    kind = METHODS[method].kind
    data_set = DATA_SETS[data]
    student_trained, loop = kind != "ask", kind == "loop"
    recorded = data_set.annotation_column is not None
    rows = TABLES[table].rows if selection.rows is None else selection.rows
    epochs = TABLES[table].epochs if selection.epochs is None else selection.epochs
    return Cell(
        data=(data_set.supervised_as or data) if kind == "supervised" else data,
        method=method,
        seed=seed,
        rows=rows,
        test_rows=selection.test_rows if student_trained else None,
        llm=_llm(METHODS[method], llm, recorded=recorded),
        student=selection.student if student_trained else ABSENT,
        epochs=epochs if student_trained else None,
        iterations=selection.iterations if loop else None,
    )


def _of_data(selection: Selection, table: str, data: str, seed: int) -> Iterator[Cell]:
    for method in _chosen_methods(selection, table):
        for llm in selection.llms:
            yield cell_of(selection, table, data=data, method=method, llm=llm, seed=seed)


def _chosen_methods(selection: Selection, table: str) -> Sequence[str]:
    methods = TABLES[table].methods
    return [name for name in methods if selection.methods is None or name in selection.methods]


def _llm(method: Method, llm: str, *, recorded: bool) -> str:
    if method.kind == "supervised":
        return ABSENT
    return RECORDED if recorded else llm
