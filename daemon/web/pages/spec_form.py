"""The form that writes a spec: its fields to YAML. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import yaml
from starlette.datastructures import FormData

from daemon.web.pages.page_context import text_of
from freeal.spec.student_list import one_or_several
from freeal.table import column_roles

_TYPED = ("budget_usd", "pilot", "iterations", "llm_provider", "llm_model", "student_mode", "student_model")


@dataclasses.dataclass(frozen=True, slots=True)
class SpecForm:
    """The fields as they were typed."""

    name: str
    description: str = ""
    labels: str = ""
    """One per line: `name`, or `name: what it means`."""
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

    def to_yaml(self) -> str:
        """The spec. What is wrong with it, the reader of specs says."""
        content: dict[str, Any] = {"name": self.name, "description": self.description, "labels": _labels(self.labels)}
        content["text_columns"] = list(self.text_columns)
        optional = {
            "label_column": self.label_column,
            "id_column": self.id_column,
            "pilot": _number(self.pilot),
            "iterations": _number(self.iterations),
            "budget_usd": _number(self.budget_usd),
            "llm": _given(provider=self.llm_provider, model=self.llm_model),
            "student": _given(mode=self.student_mode, model=_students(self.student_model)),
        }
        content |= {key: value for key, value in optional.items() if value}
        return yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=100)


def _students(words: str) -> str | list[str]:
    found = one_or_several(words)
    return found if isinstance(found, str) else list(found)


def blank(
    name: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]] = (),
    *,
    values: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> SpecForm:
    """The form before anything was typed, its columns ticked as what they seem to be in the first rows. What stands in
    the column of true labels (`values`: those of columns with few) are the labels to start from."""
    roles = column_roles.guess(header, rows)
    return SpecForm(
        name=name,
        labels="\n".join(values.get(roles.label_column or "", ())),
        text_columns=roles.texts,
        label_column=roles.label_column or "",
        id_column=roles.id_column or "",
    )


def read(form: FormData) -> SpecForm:
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


def _labels(text: str) -> list[str] | dict[str, str]:
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    pairs = [(name.strip(), meaning.strip()) for name, _, meaning in (line.partition(":") for line in lines)]
    names = [name for name, _ in pairs]
    if any(meaning for _, meaning in pairs) and len(set(names)) == len(names):
        return dict(pairs)
    return names


def _number(text: str) -> int | float | str:
    """A number where it is one; else as typed, for the reader of specs to say what is wrong with it."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _given(**values: str | list[str]) -> dict[str, str | list[str]]:
    return {key: value for key, value in values.items() if value}
