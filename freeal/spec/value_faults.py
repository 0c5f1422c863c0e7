"""What is wrong with parts of a value, each with its place within it: more than pydantic's own errors can say."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

KeyPath = tuple[str | int, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong `at` a place within a key's value, and what to write instead."""

    problem: str
    at: KeyPath = ()
    hint: str | None = None


class FaultyValueError(ValueError):
    """A validator's verdict on one value; at least one fault."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(f"{one.problem} ({one.hint})" if one.hint else one.problem for one in faults))
        self.faults = tuple(faults)


def value_as_written(value: Any, limit: int = 60) -> str:
    """A value much as it stood in the file, for a message."""
    if value is None:
        return "nothing"
    shown = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."
