"""Tables of Markdown, and fields of pydantic in a reader's words."""

from __future__ import annotations

import enum
import json
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; bars within cells are escaped."""
    cells = [[cell.replace("|", r"\|").replace("\n", " ") for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, ["---"] * len(header), *cells])


def code(value: object) -> str:
    """As it stands in YAML, in backticks."""
    return f"`{json.dumps(value, ensure_ascii=False)}`" if not isinstance(value, str) else f"`{value}`"


def kind(annotation: Any) -> str:
    """What may stand there, in a reader's words."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return kind(arguments[0])
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys("`null`" if one is type(None) else kind(one) for one in arguments))
    if origin is tuple:
        return f"list of {kind(arguments[0])}"
    if origin is dict or annotation is dict:
        return "mapping"
    words = {
        int: "whole number",
        float: "number",
        bool: "`true`, `false`",
        str: "text",
        Path: "path",
        type(None): "`null`",
    }
    return words.get(annotation, "mapping")


def default(field: FieldInfo) -> str:
    """The default as YAML has it; empty where there is none."""
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return ""
    if isinstance(value, BaseModel):
        return ""
    if isinstance(value, Path | enum.Enum):
        value = str(value)
    return code(list(value) if isinstance(value, tuple) else value)


def is_section(field: FieldInfo) -> bool:
    """Whether a key holds keys of its own."""
    return isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
