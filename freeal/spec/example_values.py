"""The starting demonstrations of a spec: each with a text, of one of the labels, none against another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from freeal.text import label_names
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


def of_the_labels(example: Example, info: ValidationInfo) -> Example:
    """The example; raises `ValueError` for one whose label the spec does not know."""
    labels = info.data.get("labels")  # absent where it is itself wrong, which is then said
    if labels is not None and example.label not in labels:
        guess = nearest(example.label, labels)
        raise ValueError(
            f"the label {example.label!r} of an example is none of the labels"
            + (f"; did you mean {guess!r}?" if guess else "")
        )
    return example


def check_agreement(examples: Sequence[Example]) -> None:
    """Raise `ValueError` where a text stands under several labels."""
    given: dict[str, set[str]] = {}
    for example in examples:
        given.setdefault(" ".join(example.text.casefold().split()), set()).add(example.label)
    torn = [(text, labels) for text, labels in given.items() if len(labels) > 1]
    if torn:
        said = (f"{label_names.quoted(text)} stands under {' and '.join(sorted(labels))}" for text, labels in torn)
        raise ValueError(f"examples contradict each other: {'; '.join(said)}")
