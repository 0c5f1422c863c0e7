"""The JSON a model is held to, where its server can hold it. freeal.annotation.reply_parser reads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def answer_schema(
    labels: Sequence[str], *, branches: Sequence[str] = (), open_labels: bool = False, ranked: bool = False
) -> dict[str, Any]:
    """One of `labels`, or of the `branches` above them, with a confidence; with `open_labels` the others that could be
    right, with `ranked` each that could with its probability; without labels, a list of written texts."""
    if labels:
        properties: dict[str, Any] = {
            "label": {"type": "string", "enum": [*labels, *branches]},
            "confidence": {"type": "number", "description": "probability between 0 and 1 that the label is right"},
        }
        if open_labels:
            properties["alternatives"] = {"type": "array", "items": {"type": "string", "enum": list(labels)}}
        if ranked:
            properties["probabilities"] = {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "label": {"type": "string", "enum": list(labels)},
                        "probability": {"type": "number"},
                    },
                    "required": ["label", "probability"],
                    "additionalProperties": False,
                },
            }
    else:
        properties = {"texts": {"type": "array", "items": {"type": "string"}}}
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
