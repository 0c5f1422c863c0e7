"""What a job works with: its pool divided, its trainer, and what asks the language model for it."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Sequence
from pathlib import Path

import anyio.from_thread

from freeal.aggregation.several_annotators import Use
from freeal.annotation.annotator import Annotator
from freeal.annotation.question_form_trial import trial_answers
from freeal.annotation.round_annotation import FREE_SETS
from freeal.compute.device_turn import DeviceTurn
from freeal.compute.listener import Listener
from freeal.errors import ConfigError, ModelFolderError, Where
from freeal.evaluation import plain_distillation
from freeal.events import Emit, Notice, Progress
from freeal.job import stage_durations
from freeal.job.choose_implementations import open_batches
from freeal.job.remaining_time import RemainingTime
from freeal.job.run_inputs import Given
from freeal.job.training_job import TrainingJob
from freeal.llm.batches import batch_journal
from freeal.llm.protocols import ChatModel
from freeal.llm.store.answer_store import SqliteStore
from freeal.money.budget_ledger import Ledger
from freeal.money.prices import price_of
from freeal.pool.text_pool import Pool
from freeal.settings import LlmSettings, LoopSettings, RaySettings, StudentSettings
from freeal.student.protocols import ComparesStudents, Trainer
from freeal.student.trainer_factory import make_trainer
from freeal.types import Annotation, Kind


def check_kind(job: TrainingJob, trainer: Trainer | None) -> None:
    """Raises `ConfigError` where settings or a caller's own trainer do not go with `kind: multi`; what is wrong with
    the spec itself is said when it is read."""
    if job.spec.kind != "multi":
        return
    if job.loop.candidates != "off":
        raise ConfigError(
            f"{job.loop.candidates} is for texts of one label, not for kind: multi",
            where=Where(key="loop.candidates"),
            hint="set it to off: with several labels the language model names all that apply anyway",
        )
    if job.student.mode == "finetune":
        raise ConfigError(
            "finetune is for texts of one label, not for kind: multi",
            where=Where(key="student.mode"),
            hint="set it to auto or frozen",
        )
    if job.pilot_rows is not None:
        raise ConfigError(
            "a pilot is for texts of one label, not for kind: multi",
            where=Where(key="pilot"),
            hint="take the first rows as a file of their own: answers that are stored are not paid for twice",
        )
    if trainer is not None and not getattr(trainer, "gives_several_labels", False):
        raise ConfigError(
            f"{trainer!r} learns one label per text: kind: multi has a student of its own",
            hint="leave the trainer out, or give it `gives_several_labels = True` and several ids per text",
        )


def trainer_for(
    settings: StudentSettings,
    *,
    texts: int,
    previous: Path | None,
    most_at_once: int | None,
    emit: Emit,
    scratch: Path | None = None,
    kind: Kind = "single",
    ray: RaySettings | None = None,
) -> Trainer:
    """The trainer of a pool of `texts`; with `student.warm_start` it goes on from the student in the folder
    `previous`, if it can. `scratch` is a folder for what is too large for memory; `ray` the cluster that fine-tuning
    may go over."""

    def on_embedded(done: int, total: int) -> None:
        anyio.from_thread.check_cancelled()  # embedding a large pool takes minutes: a stop ends it here
        emit(Progress("encoding", 0, done, total, "texts"))

    opened = functools.partial(
        make_trainer,
        settings,
        texts=texts,
        listener=Listener(on_embedded, on_notice=lambda message: emit(Notice(message))),
        most_at_once=most_at_once,
        scratch=scratch,
        kind=kind,
        ray=ray,
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
    job: TrainingJob, pool: Pool, first: tuple[Annotation, ...], *, trainer: Trainer, emit: Emit, turn: DeviceTurn
) -> float | None:
    """The accuracy of a plain student of the `first` annotations, of the kind that `trainer` has chosen where it had to
    choose; None without ground truth, and where `loop.compare_plain` is off."""
    if not job.loop.compare_plain:
        return None

    def on_step(done: int, total: int) -> None:
        anyio.from_thread.check_cancelled()
        emit(Progress("training", 0, done, total, "steps"))

    task, settings = job.spec.task, plain_distillation.plain(job.student)
    if isinstance(trainer, ComparesStudents) and trainer.chosen_name is not None:
        settings = settings.model_copy(update={"model": trainer.chosen_name})
    plain = make_trainer(settings, texts=len(pool), most_at_once=job.most_at_once, kind=task.kind, ray=job.ray)
    return await plain_distillation.plain_distillation(
        pool, first, plain, names=task.names, kind=task.kind, seed=settings.seed, turn=turn, on_step=on_step
    )


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


def foresee(
    ahead: RemainingTime,
    llm: LlmSettings,
    student: StudentSettings,
    loop: LoopSettings,
    *,
    llm_use: Use,
    annotators: Sequence[Annotator],
    trainer: Trainer,
    given: Given,
    kind: Kind,
) -> None:
    """Tell `ahead` what the job will do, from its settings and the models it has."""
    texts = given.pool.texts
    on_gpu = not trainer.description["device"].startswith("cpu")
    first = annotators[0]
    answers = [_answer_seconds(one, texts, concurrency=llm.concurrency, on_gpu=on_gpu) for one in annotators]
    side_by_side = llm_use == "side_by_side"
    asked = max(1, round(loop.annotate_share * len(texts)))
    parts = stage_durations.parts(
        loop=loop,
        asked=asked,
        sets=loop.demonstration_sets or (FREE_SETS if first.free else 1),
        zero_shot=loop.zero_shot == "always" or (loop.zero_shot == "auto" and first.free),
        from_round=2 if given.known.annotations else 1,
        answer=sum(answers) if side_by_side else answers[0],
        training=sum(stage_durations.training_seconds(student, texts=len(texts), on_gpu=on_gpu)) / 2,
        trial=trial_answers(llm.form, asked, kind=kind) if first.scores and not given.known.annotations else 0,
        comparing=stage_durations.comparison_seconds(student, texts=len(texts), on_gpu=on_gpu),
        looks=() if side_by_side else answers[1:],
    )
    computes = frozenset({"training"} if first.writes else {"training", "selecting", "annotating"})
    ahead.expect(parts, texts=len(texts), computes=computes)


def _answer_seconds(annotator: Annotator, texts: Sequence[str], *, concurrency: int, on_gpu: bool) -> float:
    if annotator.writes:
        return stage_durations.NETWORK_SECONDS_PER_ANSWER / concurrency
    return stage_durations.answer_seconds(texts, on_gpu=on_gpu)
