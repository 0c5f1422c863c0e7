"""What a round takes and costs, in all and by language model."""

from __future__ import annotations

import time
from typing import Any

from freeal.money.budget_ledger import Ledger


class RoundCost:
    """Counts from its making on."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._started = time.monotonic()
        self._usd_before, self._used_before = ledger.usd, ledger.usage
        self._usd_told = ledger.usd
        self._parts: dict[int, dict[str, float]] = {}

    def charge_annotator(self, annotator: int, *, asked: int) -> None:
        """What was spent since the last time went to this language model (its place in the job's list), which was
        asked about so many texts."""
        part = self._parts.setdefault(annotator, {"annotator": annotator, "asked": 0, "usd": 0.0})
        part["asked"] += asked
        part["usd"] = round(part["usd"] + self._ledger.usd - self._usd_told, 6)
        self._usd_told = self._ledger.usd

    def round_figures(self, *, by_annotator: bool) -> dict[str, Any]:
        """`seconds`, `usd`, `input_tokens`, `output_tokens` for metrics.json; `by_annotator` also `annotators`: what
        each language model was asked in this round, and its part of `usd`."""
        used = self._ledger.usage
        found: dict[str, Any] = {
            "seconds": round(time.monotonic() - self._started, 3),
            "usd": round(self._ledger.usd - self._usd_before, 6),
            "input_tokens": used.input_tokens - self._used_before.input_tokens,
            "output_tokens": used.output_tokens - self._used_before.output_tokens,
        }
        if by_annotator:
            found["annotators"] = list(self._parts.values())
        return found
