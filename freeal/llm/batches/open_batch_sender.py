"""What sends many prompts of a job at once, opened as its settings say."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from freeal.events import Emit
from freeal.llm.batches.batch_journal import BatchBook
from freeal.llm.limits.retry import Retry
from freeal.llm.protocols import BatchSender, ChatModel
from freeal.llm.store.answer_store import AnswerStore
from freeal.money.budget_ledger import Ledger
from freeal.settings import LlmSettings


@contextlib.contextmanager
def open_batch_sender(
    model: ChatModel,
    settings: LlmSettings,
    *,
    record: Path,
    job: str,
    store: AnswerStore,
    ledger: Ledger,
    emit: Emit,
) -> Iterator[BatchSender | None]:
    """What sends many prompts at once for `job`, None for a model without batches. `record` is the file they share.

    With `llm.mode: live` nothing new goes into a batch, but what is under way is paid for and is waited for.
    """
    if model.provider != "anthropic":
        yield None
        return
    from freeal.llm.batches.anthropic_batches import AnthropicBatches
    from freeal.llm.batches.batch_tracking import Track
    from freeal.llm.batches.send_in_batches import BatchSender as Sender
    from freeal.llm.batches.send_in_batches import Rules
    from freeal.llm.providers.anthropic import AnthropicModel

    from_rows = {"live": None, "auto": settings.batch_from_rows, "batch": 1}[settings.mode]
    rules = Rules(from_rows=from_rows, may_go_live=settings.mode != "batch")
    if not isinstance(model, AnthropicModel):
        raise TypeError(f"{type(model).__name__} says that it is Anthropic's")
    service = AnthropicBatches(model)
    retry = Retry(settings.max_attempts)
    with contextlib.closing(BatchBook(record)) as book:
        track = Track(service, book=book, store=store, retry=retry, emit=emit, job=job)
        yield Sender(service, track, store=store, ledger=ledger, retry=retry, emit=emit, rules=rules)
