"""What a run begins with: rows, texts, and what is known of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from freeal.job.pilot_job import Whole
from freeal.loop.known_labels import Known
from freeal.pool.text_pool import Pool
from freeal.results import correction_effects
from freeal.results.previous_version import Earlier
from freeal.table import Table
from freeal.types import Decision


@dataclasses.dataclass(frozen=True)
class Given:
    """What a run begins with: rows and texts, what is known of them, everything a person said about the model (`said`,
    text -> label), and what a person should know (`warnings`).

    For a run with corrections: `earlier`, the version that is corrected, and `corrected`, which texts of the pool with
    which label. Where labels changed: the version `before`, its labels called as now, and what
    `label_changes` tells of them. For a pilot: how much there is in all (`pilot_of`).
    """

    table: Table
    pool: Pool
    warnings: tuple[str, ...]
    known: Known = dataclasses.field(default_factory=Known)
    said: Mapping[str, str] = dataclasses.field(default_factory=dict)
    earlier: Earlier | None = None
    before: Earlier | None = None
    label_changes: Mapping[str, Any] | None = None
    pilot_of: Whole | None = None
    corrected: Mapping[int, str] = dataclasses.field(default_factory=dict)


def effects_of_corrections(given: Given, decisions: Sequence[Decision]) -> dict[str, Any] | None:
    """What a person's labels did, for metrics.json; None where there are none."""
    confirmed = given.known.corrected
    if (before := given.earlier or given.before) is not None:
        return correction_effects.effects_of_corrections_made(given.corrected, confirmed, given.pool, decisions, before)
    return correction_effects.effects_of_corrections_kept(confirmed, given.pool) if confirmed else None
