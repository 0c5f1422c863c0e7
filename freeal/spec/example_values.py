"""The starting demonstrations of a spec as a person may write them: pairs, or text and label by name; each of one of
the labels, none against another."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from freeal.spec.examples_file import FORM
from freeal.spec.value_faults import Fault, FaultyValueError, value_as_written
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


def examples_as_entries(value: Any) -> Any:
    """The key's value where it can hold examples. Raises `FaultyValueError` for another shape."""
    if isinstance(value, Mapping):
        raise FaultyValueError(
            [Fault(f"must be a list, found {value_as_written(dict(value))}", hint=_examples_rewritten(value))]
        )
    if value is not None and not isinstance(value, list | tuple):
        raise FaultyValueError([Fault(f"must be a list, found {value_as_written(value)}", hint=FORM)])
    return value


def _examples_rewritten(value: Mapping[Any, Any]) -> str:
    for key, inner in value.items():
        if isinstance(inner, list | tuple) and inner and isinstance(inner[0], str):  # label -> its texts
            return f'write a pair for each text: - ["{inner[0]}", {key}]'
        if isinstance(inner, list | tuple):  # {"examples": [...]}
            return "leave the key around the list out"
        if isinstance(inner, str):
            return f'write a list of pairs: - ["{key}", {inner}]'
    return FORM


def _example_by_name(value: Any) -> Any:
    """One entry as {text, label}: a pair is one by position. Raises `FaultyValueError` for another shape."""
    if isinstance(value, list | tuple):
        if len(value) != 2:
            raise FaultyValueError(
                [Fault(f"an example is a pair [text, label], found {value_as_written(value)}", hint=FORM)]
            )
        value = {"text": value[0], "label": value[1]}
    if isinstance(value, str) or value is None:
        raise FaultyValueError(
            [Fault(f"an example is a pair [text, label], found {value_as_written(value)}", hint=FORM)]
        )
    if isinstance(value, Mapping) and len(value) == 1 and not set(value) & {"text", "label"}:
        problem = f"an example is a pair [text, label], found {value_as_written(dict(value))}"
        raise FaultyValueError([Fault(problem, hint=FORM)])
    if isinstance(value, Mapping) and isinstance(value.get("label"), str | int):
        return {**value, "label": _as_name(value["label"])}
    return value


def _as_name(label: str | int) -> Any:
    """Composed, as the labels are; a number of a JSON file is the name it spells."""
    if isinstance(label, bool):
        return label
    return unicodedata.normalize("NFC", str(label))


def example_as_fields(value: Any, info: ValidationInfo) -> Any:
    """One entry as {text, label}; with several labels they may be a list. Raises `FaultyValueError`."""
    found = _example_by_name(value)
    if info.data.get("kind") != "multi" or not isinstance(found, Mapping):
        return found
    label = found.get("label")
    if isinstance(label, list | tuple) and all(isinstance(name, str) for name in label):
        return {**found, "label": joined_labels.joined(unicodedata.normalize("NFC", name) for name in label)}
    return found


def example_of_the_labels(example: Example, info: ValidationInfo) -> Example:
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
    node = label_paths.find_node(name, leaves)
    return None if node is None else next(leaf for leaf in leaves if label_paths.is_below(leaf, node))


Examples = Annotated[
    tuple[Annotated[Example, BeforeValidator(example_as_fields), AfterValidator(example_of_the_labels)], ...],
    BeforeValidator(examples_as_entries),
]
"""What a spec holds: its examples in order."""


def check_examples_agree(examples: Sequence[Example]) -> None:
    """Raise `ValueError` where a text stands under several labels."""
    given: dict[str, set[str]] = {}
    for example in examples:
        given.setdefault(" ".join(example.text.casefold().split()), set()).add(example.label)
    torn = [(text, labels) for text, labels in given.items() if len(labels) > 1]
    if torn:
        said = (f"{label_names.quoted(text)} stands under {' and '.join(sorted(labels))}" for text, labels in torn)
        raise ValueError(f"examples contradict each other: {'; '.join(said)}")
