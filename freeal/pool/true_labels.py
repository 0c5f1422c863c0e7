"""True labels as they stand in a table: a name per cell, several in a cell, or a column for each label."""

from __future__ import annotations

from collections.abc import Sequence

from freeal.spec.job_spec import Spec
from freeal.table import Table
from freeal.text import joined_labels, label_names, label_paths

_YES = frozenset({"1", "1.0", "true", "t", "yes", "y", "x", "\u2713"})
_NO = frozenset({"", "0", "0.0", "false", "f", "no", "n", "-"})


def true_label_values(table: Table, spec: Spec) -> list[str]:
    """What the table says of each row, trimmed, "" where it says nothing. Of a column per label the joined names, or
    the cells that are neither yes nor no, as `label=cell`. Raises `InputError` for a column that is not there."""
    if spec.label_columns is not None:
        places = {name: table.column(column, role="label_columns") for name, column in spec.label_columns.items()}
        return [_of_columns({name: row[places[name]].strip() for name in spec.labels}) for row in table.rows]
    if spec.label_column is None:
        return []
    position = table.column(spec.label_column, role="label_column")
    return [row[position].strip() for row in table.rows]


def _of_columns(cells: dict[str, str]) -> str:
    if not any(cells.values()):
        return ""
    strange = [f"{name}={cell}" for name, cell in cells.items() if cell.casefold() not in _YES | _NO]
    return joined_labels.joined(strange or (name for name, cell in cells.items() if cell.casefold() in _YES))


def known(said: Sequence[str], spec: Spec) -> list[str | None]:
    """The label that each value names, in whatever case; None for any other value. With several labels all of them, in
    the spec's order, and None where any is unknown. In an order `4.0` is `4`: tables write numbers so beside gaps."""
    found = known_nodes(said, spec)
    return [node if node in spec.labels else None for node in found] if spec.kind == "tree" else found


def known_nodes(said: Sequence[str], spec: Spec) -> list[str | None]:
    """`known`; of labels that are a tree also the branches that values name, by path or a name of their own."""
    if spec.kind == "tree":
        names = spec.task.names
        return [label_paths.find_node(value, names) for value in said]
    by_spelling = _by_spelling(spec)
    if spec.kind == "ordinal":
        return [by_spelling.get(label_names.spelling(value)) or of_the_same_number(value, spec) for value in said]
    if spec.kind != "multi":
        return [by_spelling.get(label_names.spelling(value)) for value in said]
    return [_several_true_labels(value, by_spelling, spec) for value in said]


def of_the_same_number(value: str, spec: Spec) -> str | None:
    """The label that is the same number in other words, such as `4` for `4.0`; else None."""
    number = _number(value)
    return None if number is None else next((name for name in spec.labels if _number(name) == number), None)


def unknown_parts(value: str, spec: Spec) -> list[str]:
    """What in a value is no label: the value, or those of several."""
    if spec.kind != "multi":
        return [value]
    by_spelling = _by_spelling(spec)
    return [part for part in _parts(value, spec) if label_names.spelling(part) not in by_spelling] or [value]


def separator_in(said: Sequence[str], spec: Spec) -> str | None:
    """The sign between labels where values that are no label consist of several, as in `billing;refund`; else None."""
    by_spelling = _by_spelling(spec)
    for value in said:
        for separator in joined_labels.SIGNS:
            parts = joined_labels.split(value, separator)
            if len(parts) > 1 and all(label_names.spelling(part) in by_spelling for part in parts):
                return separator
    return None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _by_spelling(spec: Spec) -> dict[str, str]:
    return {label_names.spelling(name): name for name in spec.labels}


def _parts(value: str, spec: Spec) -> tuple[str, ...]:
    return joined_labels.split(value, joined_labels.SEPARATOR if spec.label_columns else spec.label_separator)


def _several_true_labels(value: str, by_spelling: dict[str, str], spec: Spec) -> str | None:
    if not value:
        return None
    names = [by_spelling.get(label_names.spelling(part)) for part in _parts(value, spec)]
    if None in names or (not names and value.casefold() != joined_labels.NONE):
        return None
    return joined_labels.in_order((name for name in names if name is not None), spec.labels)
