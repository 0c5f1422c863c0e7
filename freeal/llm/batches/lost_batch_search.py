"""Find a batch again whose id never reached us: the process was killed, or the line broke, while it was created.

The API cannot be searched, and a listing shows of a batch only its id, its size and its times. What works:

1. The intention names the batch that was the newest before. Listed newest first, only what stands above it can be ours.
   Should that one be deleted, ours is not older by the service's own clock: none of ours is compared with it, nor does
   one decide anything else, for clocks are set while programs run.
2. Of those, batches of another size are not ours, nor are those whose ids stand in the record already.
3. The names of requests (`custom_id`) begin with our intention, but are shown in the results only. So a batch that has
   ended is told by its first result; one that has not is waited for, a day at most, and then told.
4. A batch may turn up a moment after the call that made it broke off. An intention that is not found is looked for once
   more, `SETTLING_SECONDS` after it was written at the earliest; one of an earlier process after all of that time.

So a batch is never submitted twice. The price: while a stranger's batch of exactly the same size, created in the same
moments in the same workspace, is under way, ours is not submitted either.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
from collections.abc import Awaitable, Callable, Collection

from freeal.llm.batches.batch_journal import Entry
from freeal.llm.batches.batch_service import Batch, BatchService
from freeal.llm.limits.retry import Retry

SETTLING_SECONDS = 60.0
_MARGIN = datetime.timedelta(minutes=1)
"""For what the clocks of the service's own machines differ by."""


async def lost_batch_candidates(
    entry: Entry, service: BatchService, retry: Retry, *, taken: Collection[str]
) -> list[Batch]:
    """The batches an intention may have become, oldest first. `taken` are ids that belong to other entries."""
    not_before = None
    if entry.newest_before_at is not None:
        not_before = datetime.datetime.fromtimestamp(entry.newest_before_at, datetime.UTC) - _MARGIN

    async def listed() -> list[Batch]:
        return [batch async for batch in service.newer_than(entry.newest_before, not_before=not_before)]

    newest_first = await retry.call(listed)
    return [batch for batch in newest_first[::-1] if batch.requests == entry.requests and batch.id not in taken]


@dataclasses.dataclass(frozen=True, slots=True)
class Search:
    """Looks for batches. `wait_for_end` gives a batch once it has ended, None when it is gone."""

    service: BatchService
    retry: Retry
    wait_for_end: Callable[[str], Awaitable[Batch | None]]
    sleep: Callable[[float], Awaitable[None]]

    async def find_lost_batch(self, entry: Entry, *, taken: Collection[str], age_seconds: float = 0.0) -> Batch | None:
        """The batch of an intention that is `age_seconds` old at least; None when it was not created.

        `taken` are ids that belong to other entries.
        """
        found = await self._look_among_candidates(entry, taken)
        if found is None and age_seconds < SETTLING_SECONDS:
            await self.sleep(SETTLING_SECONDS - age_seconds)
            found = await self._look_among_candidates(entry, taken)
        return found

    async def _look_among_candidates(self, entry: Entry, taken: Collection[str]) -> Batch | None:
        for candidate in await lost_batch_candidates(entry, self.service, self.retry, taken=taken):
            ended = candidate if candidate.ended else await self.wait_for_end(candidate.id)
            if ended is not None and ended.readable and await self._holds_requests_of(entry, ended):
                return ended
        return None

    async def _holds_requests_of(self, entry: Entry, batch: Batch) -> bool:
        async def first() -> str:
            async with contextlib.aclosing(self.service.results(batch.id)) as results:
                async for outcome in results:
                    return outcome.custom_id
            return ""

        return (await self.retry.call(first)).startswith(f"{entry.intention}-")
