"""The JSON a model is held to, where its server can hold it. freeal.annotation.reply_parser reads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def answer_schema(
    labels: Sequence[str],
    *,
    branches: Sequence[str] = (),
    open_labels: bool = False,
    ranked: bool = False,
    several: bool = False,
    rules: bool = False,
) -> dict[str, Any]:
    """With `several` any number of `labels` with a confidence. Else one of `labels`, or of the `branches` above them,
    with a confidence, with `open_labels` the others that could be right, with `ranked` each that could with its
    probability; without labels, a list of written texts, or with `rules` proposals of a rule between two labels."""
    properties: dict[str, Any]
    if rules:
        properties = {"proposals": {"type": "array", "items": _object_schema({"first": _SIDE, "second": _SIDE})}}
    elif labels and several:
        properties = {
            "labels": {"type": "array", "items": {"type": "string", "enum": list(labels)}},
            "confidence": {"type": "number", "description": "probability between 0 and 1 that the list is right"},
        }
    elif labels:
        properties = {
            "label": {"type": "string", "enum": [*labels, *branches]},
            "confidence": {"type": "number", "description": "probability between 0 and 1 that the label is right"},
        }
        if open_labels:
            properties["alternatives"] = {"type": "array", "items": {"type": "string", "enum": list(labels)}}
        if ranked:
            properties["probabilities"] = {
                "type": "array",
                "items": _object_schema(
                    {"label": {"type": "string", "enum": list(labels)}, "probability": {"type": "number"}}
                ),
            }
    else:
        properties = {"texts": {"type": "array", "items": {"type": "string"}}}
    return _object_schema(properties)


def _object_schema(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


_SIDE = _object_schema({"is": {"type": "string"}, "is_not": {"type": "string"}})
