"""Calls of one kind: what they cost and take, from low to high."""

from __future__ import annotations

import dataclasses

from freeal.cost_estimate.token_count_range import Span
from freeal.money.prices import BATCH_SHARE, cost_usd
from freeal.settings import LlmSettings, Price
from freeal.types import Usage

CALL_SECONDS = Span(0.5, 4.0)
BATCH_SECONDS = Span(120.0, 86_400.0)
"""From a batch's creation to its end: most take minutes, a day is the promise. Each round is one."""


@dataclasses.dataclass(frozen=True, slots=True)
class CallGroup:
    """Calls of one kind. `in_batch` is 0 or 1 for certain, or 0 to 1 where it depends on how many there are; `batches`
    is how many would follow one another."""

    calls: Span
    read: Span
    cached: Span
    written: Span
    in_batch: Span
    batches: int

    def cost_range_usd(self, price: Price) -> Span:
        """At best everything cacheable is read from the cache and a batch is used, at worst neither."""
        lowest = Usage(round(self.calls.low), round(self.read.low), round(self.cached.low), round(self.written.low))
        highest = Usage(round(self.calls.high), round(self.read.high), 0, round(self.written.high))
        low_share = BATCH_SHARE if self.in_batch.high else 1.0
        high_share = BATCH_SHARE if self.in_batch.low else 1.0
        return Span(cost_usd(lowest, price, share=low_share), cost_usd(highest, price, share=high_share))

    def seconds(self, llm: LlmSettings) -> Span:
        """Live calls side by side, at the rate that is set; batches one after the other."""
        live = self.calls * CALL_SECONDS * (1 / llm.concurrency)
        limits = (
            (llm.requests_per_minute, self.calls),
            (llm.input_tokens_per_minute, self.read),
            (llm.output_tokens_per_minute, self.written),
        )
        for limit, amount in limits:
            if limit is not None:
                live = Span(max(live.low, 60 * amount.low / limit), max(live.high, 60 * amount.high / limit))
        slow = BATCH_SECONDS * self.batches
        return Span(slow.low if self.in_batch.low else live.low, slow.high if self.in_batch.high else live.high)
