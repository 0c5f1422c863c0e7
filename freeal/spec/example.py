"""One starting demonstration of a spec."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from freeal.text.closest_name import nearest


class Example(BaseModel):
    """A text and the label it has."""

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
    """The example, whose label is one of those checked before it. Raises ValueError."""
    labels = info.data.get("labels")  # absent where it is itself wrong, which is then said
    if labels is not None and example.label not in labels:
        guess = nearest(example.label, labels)
        raise ValueError(
            f"the label {example.label!r} of an example is none of the labels"
            + (f"; did you mean {guess!r}?" if guess else "")
        )
    return example
