"""`kind` in a spec: what does not go together with several labels of a text, and what is no order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Protocol

from pydantic import AfterValidator, Field

from freeal.spec import column_values
from freeal.spec.job_overrides import LlmOverrides, StudentOverrides
from freeal.spec.value_faults import Fault, FaultyValueError
from freeal.text import joined_labels
from freeal.types import Kind

MOST_NAMED = 10
"""Labels in a message."""


class Said(column_values.WithLabelColumns, Protocol):
    """What is looked at of a spec."""

    @property
    def kind(self) -> Kind: ...
    @property
    def label_separator(self) -> str: ...
    @property
    def label_changes(self) -> Mapping[str, tuple[str, ...]]: ...
    @property
    def paraphrase_column(self) -> str | None: ...
    @property
    def pilot(self) -> int | None: ...
    @property
    def llm(self) -> object: ...
    @property
    def student(self) -> StudentOverrides: ...


def _one_sign(separator: str) -> str:
    if len(separator) != 1 or separator.isalnum() or separator in "\\\"' ":
        raise ValueError("must be one character that is no letter, digit, quote, blank or backslash")
    return separator


Separator = Annotated[str, AfterValidator(_one_sign)]
SEPARATOR = Field(
    joined_labels.SEPARATOR,
    description="with `kind: multi`: what stands between the labels in a cell of `label_column`. Within a name it is "
    "written with a backslash before it; a row without any label says `(none)`, an empty cell is not known",
)


def check(spec: Said) -> None:
    """Raises `FaultyValueError` for what does not go together in a spec."""
    if faults := [*(_faults_of_multi_kind(spec) if spec.kind == "multi" else _faults_of_other_kinds(spec))]:
        raise FaultyValueError(faults)


def unsaid(spec: Said) -> set[str]:
    """Keys about several labels that records of other specs leave out, as those from before there were any."""
    return set() if spec.kind == "multi" else {"label_columns", "label_separator"}


def _faults_of_other_kinds(spec: Said) -> Iterator[Fault]:
    for key, given in (("label_columns", spec.label_columns), ("label_separator", spec.label_separator != ";")):
        if given:
            yield Fault(f"is for texts of several labels, found kind: {spec.kind}", (key,), "write kind: multi")
    if spec.kind == "ordinal":
        yield from _faults_of_ordinal_kind(list(spec.labels))


def _faults_of_ordinal_kind(names: list[str]) -> Iterator[Fault]:
    """Numbers that go up and down stand in the order in which somebody found them."""
    try:
        by_size = sorted(names, key=float)
    except ValueError:
        return
    if names not in (by_size, by_size[::-1]):
        problem = f"are numbers, but not in order: {', '.join(names[:MOST_NAMED])}"
        yield Fault(problem, ("labels",), f"write the lowest first: {', '.join(by_size[:MOST_NAMED])}")


def _faults_of_multi_kind(spec: Said) -> Iterator[Fault]:
    for name in spec.labels:
        if name.casefold() == joined_labels.NONE:
            yield Fault(f"label {name!r} is how a text without labels is written", ("labels", name), "leave it out")
    if spec.label_columns is not None:
        yield from column_values.faults_of_label_columns(spec)
    if not isinstance(spec.llm, LlmOverrides):
        hint = "name one; or make a spec per label, each with kind: single"
        yield Fault("several language models cannot share kind: multi", ("llm",), hint)
    if spec.student.mode == "finetune":
        hint = "leave mode out: the student of several labels is frozen, a head per label on a sentence encoder"
        yield Fault("finetune is made for texts of one label, not for kind: multi", ("student", "mode"), hint)
    if spec.label_changes:
        hint = "leave it out: all texts are asked again under the new labels"
        yield Fault("is made for texts of one label, not for kind: multi", ("label_changes",), hint)
    if spec.paraphrase_column is not None:
        hint = "leave it out: the frozen student of several labels has no use for it"
        yield Fault("is made for texts of one label, not for kind: multi", ("paraphrase_column",), hint)
    if spec.pilot is not None:
        hint = "leave it out, and drop the first rows as a file of their own"
        yield Fault("is made for texts of one label, not for kind: multi", ("pilot",), hint)
