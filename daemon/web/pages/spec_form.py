"""The form that writes a spec: its fields to YAML. Pure."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import yaml
from starlette.datastructures import FormData

from daemon.web.pages import label_lines
from daemon.web.pages.page_context import text_of
from freeal.spec.student_list import one_or_several
from freeal.table import column_roles
from freeal.text import label_paths
from freeal.text.joined_values import Joined
from freeal.types import Kind

FEWEST_IN_ORDER = 3
_WHOLE = re.compile(r"-?[0-9]{1,3}")
_TYPED = (
    "kind", "label_separator", "budget_usd", "pilot", "iterations", "llm_provider", "llm_model", "student_mode",
    "student_model",
)  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class SpecForm:
    """The fields as they were typed."""

    name: str
    description: str = ""
    labels: str = ""
    """One per line: `name`, or `name: what it means`; of a tree the path for a name, or what is below indented."""
    kind: str = "single"
    label_separator: str = ""
    """What stands between several labels in a cell of `label_column`; empty: the usual sign."""
    text_columns: tuple[str, ...] = ()
    label_column: str = ""
    id_column: str = ""
    budget_usd: str = ""
    pilot: str = ""
    iterations: str = ""
    llm_provider: str = ""
    llm_model: str = ""
    student_mode: str = ""
    student_model: str = ""

    @property
    def may_be_in_order(self) -> bool:
        """Whether its labels are numbers of which nobody said yet that they stand in an order."""
        return self.kind == "single" and are_numbers(label_lines.names(self.labels))

    def to_yaml(self) -> str:
        """The spec. What is wrong with it, the reader of specs says."""
        content: dict[str, Any] = {"name": self.name, "description": self.description}
        if self.kind not in ("", "single"):
            content["kind"] = self.kind
        content["labels"] = (
            label_lines.label_tree(self.labels) if self.kind == "tree" else label_lines.flat_labels(self.labels)
        )
        content["text_columns"] = list(self.text_columns)
        has_several = self.kind == "multi" and self.label_column != ""
        optional = {
            "label_column": self.label_column,
            "label_separator": self.label_separator if has_several else "",
            "id_column": self.id_column,
            "pilot": _typed_number(self.pilot),
            "iterations": _typed_number(self.iterations),
            "budget_usd": _typed_number(self.budget_usd),
            "llm": _given(provider=self.llm_provider, model=self.llm_model),
            "student": _given(mode=self.student_mode, model=_students(self.student_model)),
        }
        content |= {key: value for key, value in optional.items() if value}
        return yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=100)


def _students(words: str) -> str | list[str]:
    found = one_or_several(words)
    return found if isinstance(found, str) else list(found)


def blank_form(
    name: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]] = (),
    *,
    values: Mapping[str, Sequence[str]] = MappingProxyType({}),
    joined: Mapping[str, Joined] = MappingProxyType({}),
) -> SpecForm:
    """The form before anything was typed, its columns ticked as what they seem to be in the first rows. What stands in
    the column of true labels (`values`: those of columns with few) are the labels to start from; where its cells hold
    several (`joined`), so may a text."""
    roles = column_roles.guess_column_roles(header, rows)
    # several names or a path have as many words as a text
    telling = (one for one in header if one != roles.id_column and kind_of_labels(one, values, joined) != "single")
    column = roles.label_column or next((one for one in telling if roles.texts != (one,)), "")
    several = joined.get(column)
    return SpecForm(
        name=name,
        labels="\n".join(labels_in(column, values, joined)),
        kind=kind_of_labels(column, values, joined),
        label_separator=several.separator if several else "",
        text_columns=tuple(one for one in roles.texts if one != column),
        label_column=column,
        id_column=roles.id_column or "",
    )


def labels_in(column: str, values: Mapping[str, Sequence[str]], joined: Mapping[str, Joined]) -> tuple[str, ...]:
    """The labels that a column of true labels speaks of, the most frequent first, numbers by their size."""
    found = joined[column].values if column in joined else tuple(values.get(column, ()))
    return tuple(sorted(found, key=float)) if are_numbers(found) else found


def kind_of_labels(column: str, values: Mapping[str, Sequence[str]], joined: Mapping[str, Joined]) -> Kind:
    """What the values of a column of true labels look like. Numbers may be codes, so an order is never taken for
    granted."""
    if column in joined:
        return "multi"
    found = values.get(column, ())
    return "tree" if found and all(label_paths.SEPARATOR in value for value in found) else "single"


def are_numbers(labels: Sequence[str]) -> bool:
    """Whether they are at least three whole numbers, which may stand in an order."""
    return len(labels) >= FEWEST_IN_ORDER and all(_WHOLE.fullmatch(label) for label in labels)


def read_form(form: FormData) -> SpecForm:
    """The fields of a form that was sent."""
    label_column, id_column = text_of(form, "label_column"), text_of(form, "id_column")
    ticked = [value for value in form.getlist("text_columns") if isinstance(value, str)]
    return SpecForm(
        name=text_of(form, "name").strip(),
        description=text_of(form, "description").strip().replace("\r\n", "\n"),
        labels=text_of(form, "labels").replace("\r\n", "\n"),
        # one that was chosen to be something else is no text, also where its box was left ticked
        text_columns=tuple(column for column in ticked if column not in {label_column, id_column}),
        label_column=label_column,
        id_column=id_column,
        **{name: text_of(form, name).strip() for name in _TYPED},
    )


def as_fields(form: SpecForm) -> dict[str, Any]:
    """The form for a file, and back with `SpecForm(**fields)`."""
    return dataclasses.asdict(form) | {"text_columns": list(form.text_columns)}


def _typed_number(text: str) -> int | float | str:
    """A number where it is one; else as typed, for the reader of specs to say what is wrong with it."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _given(**values: str | list[str]) -> dict[str, str | list[str]]:
    return {key: value for key, value in values.items() if value}
