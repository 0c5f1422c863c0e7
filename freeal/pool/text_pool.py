"""The pool: the distinct texts of a table, and which row holds which.

A text that stands in many rows is asked, trained and scored once and copied back, so cost follows distinct texts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from freeal.errors import InputError, Where
from freeal.pool import true_labels
from freeal.spec.job_spec import Spec
from freeal.table import Table
from freeal.text import label_names
from freeal.text.row_text import row_text

EMPTY = -1
"""Pool index of a row without any text."""


@dataclasses.dataclass(frozen=True, slots=True)
class Pool:
    """Distinct texts in order of first appearance.

    `row_index[row]` is a row's pool index (EMPTY without text), `first_row[index]` the row a text appears in first.
    `truth[row]` is the user's label where the spec names a label_column and the value is one of the labels (of several
    labels their joined names, where all are known): for evaluation only; None for the rows of the user's own examples,
    whose label was given away. `unknown_truth` counts the values that are neither empty nor a label.
    `paraphrases[index]` is the same in other words, "" where there are none; None where the spec names no
    paraphrase_column. `groups[index]` is the pool index of the text that stands for its near duplicates (None: not
    looked for); texts at `held_out` are never demonstrations. `truth_nodes[row]` is, of labels that are a tree, what
    the value names: a label, or a branch of them; None for other labels.
    """

    texts: tuple[str, ...]
    row_index: tuple[int, ...]
    first_row: tuple[int, ...]
    text_columns: tuple[str, ...]
    truth: tuple[str | None, ...] | None = None
    unknown_truth: int = 0
    paraphrases: tuple[str, ...] | None = None
    groups: tuple[int, ...] | None = None
    held_out: frozenset[int] = frozenset()
    truth_nodes: tuple[str | None, ...] | None = None

    def group(self, index: int) -> int:
        """The group of a text: its own index where it has no near duplicates."""
        return index if self.groups is None else self.groups[index]

    def __len__(self) -> int:
        return len(self.texts)


def build_pool(table: Table, spec: Spec) -> Pool:
    """Find the distinct texts. Raises `InputError` for a missing column or a table without any text."""
    columns = _text_columns(table, spec)
    positions = [table.column(name, role="text_columns") for name in columns]
    index_of: dict[str, int] = {}
    row_index: list[int] = []
    first_row: list[int] = []
    for number, row in enumerate(table.rows):
        text = row_text(columns, [row[position] for position in positions])
        if not text:
            row_index.append(EMPTY)
            continue
        index = index_of.setdefault(text, len(index_of))
        if index == len(first_row):
            first_row.append(number)
        row_index.append(index)
    if not table.rows:
        found = label_names.quoted(", ".join(table.header), 80)
        hint = "write rows below it; if this is a row itself, csv: {header: none} in the spec reads it as one"
        raise InputError(
            f"has a header but no rows: all there is in it is {found}", where=Where(file=table.path), hint=hint
        )
    if not index_of:
        others = [name for name in table.header if name.strip() and name not in columns]
        hint = f"name other text_columns (there are also {', '.join(others[:8])})" if others else "fill them in"
        raise InputError(f"no row has any text in {', '.join(columns)}", where=Where(file=table.path), hint=hint)
    truth, nodes, unknown = _truth_of_pool(table, spec, row_index, index_of)
    paraphrases = _paraphrases(table, spec, first_row)
    return Pool(
        tuple(index_of), tuple(row_index), tuple(first_row), columns, truth, unknown, paraphrases, truth_nodes=nodes
    )


def _text_columns(table: Table, spec: Spec) -> tuple[str, ...]:
    others = {table.column(name, role=role) for role, name in spec.other_columns.items()}
    if spec.text_columns is None:
        positions = [position for position in range(len(table.header)) if position not in others]
    else:
        positions = [table.column(name, role="text_columns") for name in spec.text_columns]
    columns = tuple(table.header[position] for position in positions)
    if not columns:
        raise InputError("has no column left to read text from", where=Where(file=table.path, key="text_columns"))
    return columns


def _paraphrases(table: Table, spec: Spec, first_row: list[int]) -> tuple[str, ...] | None:
    if spec.paraphrase_column is None:
        return None
    position = table.column(spec.paraphrase_column, role="paraphrase_column")
    return tuple(table.rows[row][position].strip() for row in first_row)


_Truth = tuple[str | None, ...]


def _truth_of_pool(
    table: Table, spec: Spec, row_index: Sequence[int], index_of: Mapping[str, int]
) -> tuple[_Truth | None, _Truth | None, int]:
    """Of each row the label, of a tree the node as well, and how many values are neither."""
    if not spec.has_truth:
        return None, None, 0
    values = true_labels.true_label_values(table, spec)
    named = true_labels.known_nodes(values, spec)
    unknown = sum(bool(value) and known is None for value, known in zip(values, named, strict=True))
    examples = {index_of.get(example.text.strip(), EMPTY) for example in spec.examples} - {EMPTY}

    def unseen(found: Sequence[str | None]) -> _Truth | None:
        kept = tuple(None if index in examples else one for index, one in zip(row_index, found, strict=True))
        return kept if any(kept) else None

    nodes = unseen(named) if spec.kind == "tree" else None
    return unseen(true_labels.known(values, spec)), nodes, unknown
