"""A CSV in the predict lane: its record."""

from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One claimed CSV of the predict lane. `state` is `claimed`, `done`, `failed` or `cancelled`.

    `version` is the model version it is labelled with to its end, "" before it begins. `done` rows of `total` (an
    estimate where values hold line breaks) are on the disk; `rows_per_second` is the pace of the last minutes, other
    predictions' turns included. `request` is `cancel` once somebody asked for that; `warnings`, a
    line each, say why its labels should be looked at.
    """

    id: str
    model: str
    csv_name: str
    state: str = "claimed"
    rows: int | None = None
    error: dict[str, Any] | None = None
    version: str = ""
    done: int = 0
    total: int = 0
    rows_per_second: float = 0.0
    request: str = ""
    warnings: str = ""
    created_at: float
    updated_at: float

    @property
    def remaining_seconds(self) -> float | None:
        """How long it will take yet at this pace; None while that is not known."""
        if not self.rows_per_second or not self.total:
            return None
        return max(0, self.total - self.done) / self.rows_per_second
