"""A CSV in the predict lane: its record."""

from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One claimed CSV of the predict lane. `state` is `claimed`, `done` or `failed`."""

    id: str
    model: str
    csv_name: str
    state: str = "claimed"
    rows: int | None = None
    error: dict[str, Any] | None = None
    created_at: float
    updated_at: float
