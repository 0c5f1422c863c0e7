"""Giving up a job's batches. What was answered before stays paid for and readable: a retry of the job reads it."""

from __future__ import annotations

import anyio
import anyio.to_thread

from freeal.errors import LlmError
from freeal.llm.batches.batch_journal import BatchBook, Entry
from freeal.llm.batches.batch_service import BatchService
from freeal.llm.batches.lost_batch_search import lost_batch_candidates
from freeal.llm.limits.retry import Retry


async def cancel_batches_of_job(service: BatchService, retry: Retry, book: BatchBook, *, job: str) -> list[str]:
    """Cancel every batch of a job at this service; for each that may go on and cost money, a sentence that says why."""
    entries = await anyio.to_thread.run_sync(book.open_entries)
    taken = {entry.batch_id for entry in entries if entry.batch_id is not None}
    problems = []
    for entry in entries:
        if entry.job != job:
            continue
        if entry.endpoint != service.endpoint:
            problems.append(f"batch {entry.batch_id} was sent to {entry.endpoint}, which llm.base_url no longer names")
            continue
        try:
            problems += await _cancel_batch(entry, service, retry, book, taken)
        except LlmError as error:
            problems.append(f"batch {entry.batch_id or 'without a known id'} could not be cancelled: {error}")
    return problems


async def _cancel_batch(
    entry: Entry, service: BatchService, retry: Retry, book: BatchBook, taken: set[str]
) -> list[str]:
    if entry.batch_id is not None:
        batch_id = entry.batch_id
        await retry.call(lambda: service.cancel(batch_id))
        await anyio.to_thread.run_sync(book.cancelled, entry)
        return []
    # Which one is ours can only be told from the results: to cancel a stranger's batch would be worse than to pay.
    under_way = [
        batch.id for batch in await lost_batch_candidates(entry, service, retry, taken=taken) if not batch.ended
    ]
    return [
        f"batch {batch_id} may be of this job: it was stopped while it submitted one; cancel it in the Console if so"
        for batch_id in under_way
    ]
