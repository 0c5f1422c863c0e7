"""The annotators of a job, one per language model: with the answer store, ledgers of one cap, and batches open."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from freeal.annotation.annotator import Annotator
from freeal.events import Emit
from freeal.llm.batches import batch_journal
from freeal.llm.batches.batch_journal import BatchBook
from freeal.llm.limits.retry import Retry
from freeal.llm.protocols import BatchSender, ChatModel
from freeal.llm.store.answer_store import AnswerStore, SqliteStore
from freeal.money.budget_ledger import Ledger
from freeal.money.prices import price_of
from freeal.settings import LlmSettings


@contextlib.contextmanager
def annotating(
    models: Sequence[ChatModel], several: Sequence[LlmSettings], *, answers: Path, job_id: str, emit: Emit
) -> Iterator[tuple[Annotator, ...]]:
    """An annotator for each language model of a job, with the answer store, ledgers of one cap, and the record of the
    first one's batches open: the others, who are asked less, are asked live."""
    with contextlib.ExitStack() as opened:
        stores = [
            opened.enter_context(
                contextlib.closing(SqliteStore(answers, job=job_id, asked_of=f"{model.provider}/{model.model}"))
            )
            for model in models
        ]
        first, settings = models[0], several[0]
        prices = [price_of(model.provider, model.model, one.prices) for model, one in zip(models, several, strict=True)]
        ledger = Ledger(prices[0], settings.budget_usd, model=first.model, spent=stores[0].begin())
        batches = opened.enter_context(
            open_batches(
                first,
                settings,
                record=answers.with_name(batch_journal.FILE_NAME),
                job=job_id,
                store=stores[0],
                ledger=ledger,
                emit=emit,
            )
        )
        yield (
            Annotator(first, stores[0], ledger, emit, settings.calibration, batches=batches, form=settings.form),
            *(
                Annotator(model, store, ledger.beside(price, model=model.model), emit, one.calibration, form=one.form)
                for model, store, price, one in zip(models[1:], stores[1:], prices[1:], several[1:], strict=True)
            ),
        )


@contextlib.contextmanager
def open_batches(
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
