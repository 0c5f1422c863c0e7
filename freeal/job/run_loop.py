"""The rounds of a job: its language models opened, and the loop with what the job's settings say."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Awaitable, Callable, Sequence

from freeal.annotation.annotator import Annotator
from freeal.annotation.question_form_trial import FormChoice
from freeal.compute.device_turn import DeviceTurn, always
from freeal.evaluation.metrics import Evaluation
from freeal.events import Emit, Progress
from freeal.job.annotators_of_job import annotating
from freeal.job.job_resources import JobResources
from freeal.job.round_fingerprint import round_fingerprint
from freeal.job.run_inputs import Given
from freeal.job.timing.remaining_time import RemainingTime, foresee_remaining_time
from freeal.job.training_job import TrainingJob
from freeal.llm.protocols import ChatModel, ReleasesMemory, RunsOnCluster
from freeal.llm.store.answer_store import SqliteStore
from freeal.llm.store.bill_records import JobBill
from freeal.loop.freeal_loop import Loop
from freeal.loop.known_labels import NOTHING_KNOWN, Known
from freeal.loop.loop_result import LoopResult
from freeal.loop.round_store import RoundStore
from freeal.money.budget_ledger import Ledger
from freeal.pool.text_pool import Pool
from freeal.results.finished_run import Answerer
from freeal.settings import LlmSettings
from freeal.student.protocols import ComparesStudents, Trainer


async def run_loop(
    job: TrainingJob,
    pool: Pool,
    *,
    annotators: Sequence[Annotator],
    trainer: Trainer,
    rounds: RoundStore,
    emit: Emit,
    known: Known = NOTHING_KNOWN,
    turn: DeviceTurn = always,
    before_training: Callable[[], Awaitable[None]] | None = None,
) -> LoopResult:
    """The rounds of `job`, whose settings are the effective ones; `before_training` is awaited in each of them."""
    loop = Loop(
        task=job.spec.task,
        pool=pool,
        annotator=annotators[0],
        trainer=trainer,
        settings=job.loop,
        store=rounds,
        evaluation=Evaluation.of(pool, told=known.confirmed),
        seed=job.student.seed,
        emit=emit,
        known=known,
        turn=turn,
        before_training=before_training,
        further=tuple(annotators[1:]),
        llm_use=job.llm_use,
    )
    return await loop.run(job.spec.demonstrations)


@dataclasses.dataclass(frozen=True)
class Asked:
    """What came of the rounds: their result and where they lie, who answered, and what that cost; `bills` are those of
    the model, whatever job they were of."""

    result: LoopResult
    rounds: RoundStore
    answerers: tuple[Answerer, ...]
    ledger: Ledger
    bills: tuple[JobBill, ...]


async def ask_and_train(
    job: TrainingJob,
    given: Given,
    resources: JobResources,
    further: Sequence[LlmSettings],
    *,
    trainer: Trainer,
    emit: RemainingTime,
) -> Asked:
    """The rounds of `job` with its own language models, `further` those after the first, which are open for as long as
    they take. Raises what `freeal.train` raises of language models, and `TrainingError`."""
    several = (job.llm, *further)
    async with contextlib.AsyncExitStack() as opened:
        models = [
            await opened.enter_async_context(
                resources.language_model(
                    one,
                    cache=job.cache,
                    key_folder=job.key_folder,
                    device=job.student.device,
                    ray=job.ray,
                    texts=len(given.pool),
                )
            )
            for one in several
        ]
        emit(Progress("loading", 0, 2, 2, "models"))
        rounds = RoundStore(job.work, question=round_fingerprint(job.model_dump(mode="json"), given, models, trainer))
        if isinstance(trainer, ComparesStudents):
            trainer.remember_in(rounds.folder, has_trained=rounds.load_round(1) is not None)
        with annotating(
            models, several, answers=job.answers, job_id=job.job_id, billed_to=job.billed_to, emit=emit
        ) as annotators:
            foresee_remaining_time(
                emit,
                job.llm,
                job.student,
                job.loop,
                llm_use=job.llm_use,
                annotators=annotators,
                trainer=trainer,
                given=given,
                task=job.spec.task,
            )
            result = await run_loop(
                job,
                given.pool,
                annotators=annotators,
                trainer=trainer,
                rounds=rounds,
                known=given.known,
                emit=emit,
                turn=resources.turn,
                before_training=functools.partial(_release_memory, models),
            )
        forms = {0: FormChoice(given.known.form)} if given.known.form else {}  # where nothing had to be asked
        forms |= result.forms
        answerers = tuple(_answerer(one, forms.get(place)) for place, one in enumerate(models))
        with contextlib.closing(SqliteStore(job.answers, job=job.job_id, billed_to=job.billed_to)) as store:
            bills = tuple(store.bills_of_model())
        return Asked(result, rounds, answerers, annotators[0].ledger, bills)


def _answerer(model: ChatModel, asked_as: FormChoice | None) -> Answerer:
    answerer = Answerer(
        model.provider, model.model, model.style, engine=model.engine if isinstance(model, RunsOnCluster) else "local"
    )
    if model.style != "completion" or asked_as is None:
        return answerer
    return dataclasses.replace(answerer, form=asked_as.template, forms_tried=asked_as.tried)


async def _release_memory(models: Sequence[ChatModel]) -> None:
    """A language model in this machine's memory and a student that trains would be a job's peak together."""
    for model in models:
        if isinstance(model, ReleasesMemory):
            await model.release_memory()
