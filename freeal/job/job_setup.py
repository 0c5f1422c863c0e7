"""What a job works with: its pool divided, its trainer, and what asks the language model for it."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path

import anyio.from_thread

from freeal.annotation.annotator import Annotator
from freeal.annotation.round_annotation import FREE_SETS
from freeal.compute.device_turn import DeviceTurn
from freeal.compute.listener import Listener
from freeal.errors import ModelFolderError
from freeal.evaluation import plain_distillation
from freeal.events import Emit, Notice, Progress
from freeal.job import certification_job, expected_duration
from freeal.job.choose_implementations import open_batches, open_trainer
from freeal.job.given_rows import Given
from freeal.job.remaining_time import RemainingTime
from freeal.llm.batches import batch_journal
from freeal.llm.protocols import ChatModel
from freeal.llm.store.answer_store import SqliteStore
from freeal.money.budget_ledger import Ledger
from freeal.money.prices import price_of
from freeal.pool import given_labels, holdout, near_duplicates
from freeal.pool.text_pool import Pool
from freeal.preflight import preflight_check
from freeal.preflight.preflight_check import Checked
from freeal.settings import LlmSettings, LoopSettings, StudentSettings
from freeal.spec.job_spec import Spec
from freeal.student.protocols import Trainer
from freeal.types import Annotation, Task


def read(csv: Path, spec: Spec, *, emit: Emit) -> Checked:
    """The table, held against its spec. Raises `InputError`."""
    emit(Progress("reading", 0, 0, 1, "files"))
    checked = preflight_check.read(csv, spec)
    for warning in (*checked.table.dialect.notices, *checked.warnings):
        emit(Notice(warning))
    emit(Progress("reading", 0, 1, 1, "files"))
    return checked


def divided(pool: Pool, settings: LoopSettings, *, seed: int, previous: Path | None, emit: Emit) -> Pool:
    """The pool with its near duplicates found and its share that is never shown drawn, where that is wanted, and with
    what was drawn to certify the version of the student `previous`: that is never shown either."""
    pool = grouped(pool, settings, emit=emit)
    held_out = holdout.drawn(len(pool), share=settings.holdout_share, seed=seed, groups=pool.groups)
    return certification_job.kept_out(dataclasses.replace(pool, held_out=held_out), previous)


def grouped(pool: Pool, settings: LoopSettings, *, emit: Emit) -> Pool:
    """The pool with its near duplicates found, where that is wanted."""
    if settings.near_duplicates != "group":
        return pool
    groups = near_duplicates.groups(pool.texts)
    alike = sum(leader != index for index, leader in enumerate(groups))
    emit(Notice(f"near duplicates: {alike:,} of {len(pool):,} distinct texts are nearly the same as another one"))
    return dataclasses.replace(pool, groups=groups)


def taught(pool: Pool, spec: Spec, *, seed: int, emit: Emit) -> tuple[Pool, dict[int, str]]:
    """The pool whose truth is what may be measured with, and the labels that its table teaches, by pool index."""
    pool, found = given_labels.divided(pool, spec.label_use, seed=seed)
    if found:
        measured = sum(label is not None for label in pool.truth or ())
        figure = f"{measured:,} rows measure" if measured else "none is left to measure with, so no accuracy is shown"
        teach = f"{len(found):,} texts teach their label in {spec.label_column!r}"
        emit(Notice(f"label_use {spec.label_use}: {teach}; {figure}"))
    return pool, found


def trainer_for(
    settings: StudentSettings, *, texts: int, previous: Path | None, most_at_once: int | None, emit: Emit
) -> Trainer:
    """The trainer of a pool of `texts`; with `student.warm_start` it goes on from the student in the folder
    `previous`, if it can."""

    def on_embedded(done: int, total: int) -> None:
        anyio.from_thread.check_cancelled()  # embedding a large pool takes minutes: a stop ends it here
        emit(Progress("encoding", 0, done, total, "texts"))

    opened = functools.partial(
        open_trainer,
        settings,
        texts=texts,
        listener=Listener(on_embedded, on_notice=lambda message: emit(Notice(message))),
        most_at_once=most_at_once,
    )
    if not settings.warm_start:
        return opened()
    if previous is None:
        emit(Notice("warm_start: there is no earlier version of this model; the student starts from the base encoder"))
    try:
        return opened(previous=previous)
    except ModelFolderError as error:
        emit(Notice(f"warm_start: {error}; the student starts from the base encoder"))
        return opened()


async def plain_accuracy(
    pool: Pool,
    first: tuple[Annotation, ...],
    settings: StudentSettings,
    *,
    task: Task,
    most_at_once: int | None,
    emit: Emit,
    turn: DeviceTurn,
) -> float | None:
    """The accuracy of a plain student of the `first` annotations; None without ground truth."""

    def on_step(done: int, total: int) -> None:
        anyio.from_thread.check_cancelled()
        emit(Progress("training", 0, done, total, "steps"))

    trainer = open_trainer(plain_distillation.plain(settings), texts=len(pool), most_at_once=most_at_once)
    return await plain_distillation.plain_distillation(
        pool, first, trainer, names=task.names, kind=task.kind, seed=settings.seed, turn=turn, on_step=on_step
    )


@contextlib.contextmanager
def annotating(
    model: ChatModel, settings: LlmSettings, *, answers: Path, job_id: str, emit: Emit
) -> Iterator[Annotator]:
    """The annotator, with its answer store, its ledger and the record of its batches open."""
    with contextlib.closing(SqliteStore(answers, job=job_id, asked_of=f"{model.provider}/{model.model}")) as store:
        price = price_of(model.provider, model.model, settings.prices)
        ledger = Ledger(price, settings.budget_usd, model=model.model, spent=store.begin())
        with open_batches(
            model,
            settings,
            record=answers.with_name(batch_journal.FILE_NAME),
            job=job_id,
            store=store,
            ledger=ledger,
            emit=emit,
        ) as batches:
            yield Annotator(model, store, ledger, emit, settings.calibration, batches=batches)


def foresee(
    ahead: RemainingTime,
    llm: LlmSettings,
    student: StudentSettings,
    loop: LoopSettings,
    *,
    annotator: Annotator,
    trainer: Trainer,
    given: Given,
) -> None:
    """Tell `ahead` what the job will do, from its settings and the models it has."""
    texts = given.pool.texts
    on_gpu = not trainer.description["device"].startswith("cpu")
    is_local = not annotator.writes
    sets = loop.demonstration_sets or (FREE_SETS if annotator.free else 1)
    corrected = bool(given.known.annotations)
    parts = expected_duration.parts(
        loop=loop,
        asked=max(1, round(loop.annotate_share * len(texts))),
        sets=sets,
        zero_shot=loop.zero_shot == "always" or (loop.zero_shot == "auto" and annotator.free),
        from_round=2 if corrected else 1,
        answer=expected_duration.answer_seconds(texts, on_gpu=on_gpu)
        if is_local
        else expected_duration.NETWORK_SECONDS_PER_ANSWER / llm.concurrency,
        training=expected_duration.training_seconds(student, texts=len(texts), on_gpu=on_gpu),
    )
    computes = frozenset({"training", "annotating"} if is_local else {"training"})
    ahead.expect(parts, texts=len(texts), computes=computes)
