"""The starting demonstrations of a spec: each with a text, of one of the labels, none against another."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from freeal.spec import examples_file
from freeal.text import joined_labels, label_names, label_paths
from freeal.text.closest_name import nearest


class Example(BaseModel):
    """One starting demonstration."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    text: Annotated[str, Field(min_length=1)]
    label: str

    @field_validator("text")
    @classmethod
    def _some_text(cls, text: str) -> str:
        if not text.strip():
            raise ValueError("an example has no text")
        return text


def as_fields(value: Any, info: ValidationInfo) -> Any:
    """One entry as {text, label}; with several labels they may be a list. Raises `FaultyValueError`."""
    found = examples_file.as_fields(value)
    if info.data.get("kind") != "multi" or not isinstance(found, Mapping):
        return found
    label = found.get("label")
    if isinstance(label, list | tuple) and all(isinstance(name, str) for name in label):
        return {**found, "label": joined_labels.joined(unicodedata.normalize("NFC", name) for name in label)}
    return found


def of_the_labels(example: Example, info: ValidationInfo) -> Example:
    """The example, several labels in their order; raises `ValueError` for one whose label the spec does not know."""
    labels = info.data.get("labels")  # absent where it is itself wrong, which is then said
    if labels is None:
        return example
    names = joined_labels.split(example.label) if info.data.get("kind") == "multi" else (example.label,)
    for name in names:
        if name not in labels:
            guess = _in_the_tree(name, tuple(labels)) if info.data.get("kind") == "tree" else None
            guess = guess or nearest(name, labels)
            meant = f"; did you mean {guess!r}?" if guess else ""
            raise ValueError(f"the label {name!r} of an example is none of the labels{meant}")
    if info.data.get("kind") != "multi":
        return example
    return example.model_copy(update={"label": joined_labels.in_order(names, labels)})


def _in_the_tree(name: str, leaves: tuple[str, ...]) -> str | None:
    """The label whose path was cut short, or the first one below a branch."""
    node = label_paths.find(name, leaves)
    return None if node is None else next(leaf for leaf in leaves if label_paths.is_below(leaf, node))


Examples = Annotated[
    tuple[Annotated[Example, BeforeValidator(as_fields), AfterValidator(of_the_labels)], ...],
    BeforeValidator(examples_file.as_entries),
]
"""What a spec holds: its examples in order."""


def check_agreement(examples: Sequence[Example]) -> None:
    """Raise `ValueError` where a text stands under several labels."""
    given: dict[str, set[str]] = {}
    for example in examples:
        given.setdefault(" ".join(example.text.casefold().split()), set()).add(example.label)
    torn = [(text, labels) for text, labels in given.items() if len(labels) > 1]
    if torn:
        said = (f"{label_names.quoted(text)} stands under {' and '.join(sorted(labels))}" for text, labels in torn)
        raise ValueError(f"examples contradict each other: {'; '.join(said)}")
