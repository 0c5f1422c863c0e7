"""The annotators of a job, one per language model: with the answer store, ledgers of one cap, and batches open."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from freeal.annotation.annotator import Annotator
from freeal.events import Emit
from freeal.llm.batches import batch_journal
from freeal.llm.batches.open_batch_sender import open_batch_sender
from freeal.llm.protocols import ChatModel
from freeal.llm.store.answer_store import SqliteStore
from freeal.money.budget_ledger import Ledger
from freeal.money.prices import price_of
from freeal.settings import LlmSettings


@contextlib.contextmanager
def annotating(
    models: Sequence[ChatModel],
    several: Sequence[LlmSettings],
    *,
    answers: Path,
    job_id: str,
    emit: Emit,
    billed_to: str = "",
) -> Iterator[tuple[Annotator, ...]]:
    """An annotator for each language model of a job, with the answer store, ledgers of one cap, and the record of the
    first one's batches open: the others, who are asked less, are asked live."""
    with contextlib.ExitStack() as opened:
        stores = [
            opened.enter_context(
                contextlib.closing(
                    SqliteStore(answers, job=job_id, billed_to=billed_to, asked_of=f"{model.provider}/{model.model}")
                )
            )
            for model in models
        ]
        first, settings = models[0], several[0]
        prices = [price_of(model.provider, model.model, one.prices) for model, one in zip(models, several, strict=True)]
        ledger = Ledger(prices[0], settings.budget_usd, model=first.model, spent=stores[0].begin())
        batches = opened.enter_context(
            open_batch_sender(
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
