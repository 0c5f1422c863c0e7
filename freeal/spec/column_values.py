"""Columns in a spec as a person may write them: `text_columns`, a list of names or one; `label_columns`, a list or a
mapping, and what does not go together with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Protocol

from pydantic import AfterValidator, BeforeValidator, Field

from freeal.spec.value_faults import Fault
from freeal.text.closest_name import nearest


class WithLabelColumns(Protocol):
    """What is looked at of a spec."""

    @property
    def labels(self) -> Mapping[str, str]: ...
    @property
    def label_column(self) -> str | None: ...
    @property
    def label_columns(self) -> Mapping[str, str] | None: ...
    @property
    def text_columns(self) -> tuple[str, ...] | None: ...
    @property
    def id_column(self) -> str | None: ...


def _as_list(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _some_text_column(columns: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if columns is not None and not columns:
        raise ValueError("names no column; leave the key out to use every column")
    if doubled := [repr(name) for name, count in Counter(columns or ()).items() if count > 1]:
        raise ValueError(f"names {', '.join(doubled)} twice")
    return columns


TextColumns = Annotated[tuple[str, ...] | None, BeforeValidator(_as_list), AfterValidator(_some_text_column)]


def _label_columns_by_label(value: Any) -> Any:
    """A list of columns is named like the labels."""
    if isinstance(value, list | tuple):
        if doubled := [repr(name) for name, count in Counter(map(str, value)).items() if count > 1]:
            raise ValueError(f"names {', '.join(doubled)} twice")
        return {str(name): str(name) for name in value}
    return value


LabelColumns = Annotated[dict[str, str] | None, BeforeValidator(_label_columns_by_label)]

LABEL_COLUMNS = Field(
    None,
    description="with `kind: multi`, in place of `label_column`: a column per label that says whether a row has it (1 "
    "or 0, true or false, yes or no, x or nothing). A list where columns are named like the labels, else `label: "
    "column` for every label. A row whose cells are all empty is not known",
)


def faults_of_label_columns(spec: WithLabelColumns) -> Iterator[Fault]:
    """What is wrong with `label_columns` beside the other keys."""
    columns = spec.label_columns or {}
    if spec.label_column is not None:
        yield Fault("true labels stand in label_column or in label_columns", ("label_columns",), "leave one out")
    for name in columns.keys() - spec.labels.keys():
        guess = nearest(name, spec.labels)
        yield Fault(
            f"{name!r} is none of the labels",
            ("label_columns",),
            f"did you mean {guess!r}?" if guess else "write `label: column` for each label",
        )
    if missing := [repr(name) for name in spec.labels if name not in columns]:
        yield Fault(f"has no column for {', '.join(missing)}", ("label_columns",), "each label needs one")
    doubled = [repr(column) for column, count in Counter(columns.values()).items() if count > 1]
    others = {*(spec.text_columns or ()), spec.id_column}
    if doubled:
        yield Fault(f"names {', '.join(doubled)} for two labels", ("label_columns",))
    for column in sorted(others.intersection(columns.values()), key=str):
        yield Fault(
            f"column {column!r} is also a text column or the id_column: the truth would be shown to the models",
            ("label_columns",),
            "leave it out there",
        )
