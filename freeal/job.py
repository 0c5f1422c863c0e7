"""One training job, from CSV to finished folder: the path command line, notebook and daemon all take."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from freeal import baseline, results
from freeal.annotate import Annotator
from freeal.assembly import open_batches, open_chat_model, open_trainer
from freeal.decide import decide
from freeal.errors import ModelFolderError
from freeal.events import Emit, Notice, Progress, ignore
from freeal.llm import batchbook
from freeal.llm.base import ChatModel
from freeal.llm.cache import SqliteStore
from freeal.llm.limiter import Limiter
from freeal.loop import Loop, LoopResult
from freeal.metrics import Evaluation
from freeal.money.budget import Ledger, price_of
from freeal.pool import Pool, build_pool
from freeal.record import Answerer, FinishedRun, now
from freeal.settings import LlmSettings, LoopSettings, StudentSettings
from freeal.spec import Spec
from freeal.state import RoundStore
from freeal.student.base import Trainer
from freeal.table import Table, read_table


class TrainingJob(BaseModel):
    """Everything one job needs, and nothing secret: it travels to a child process as JSON.

    `output` is the folder `train` fills; `work` holds the rounds until then and makes a killed job resumable; `answers`
    is the answer store, shared by all jobs; `cache` keeps converted models; `api_key.py` may stand in `key_folder`;
    `previous_model` is the student of the model's last version, for `student.warm_start`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    job_id: str
    csv: Path
    spec: Spec
    output: Path
    work: Path
    answers: Path
    cache: Path
    key_folder: Path
    previous_model: Path | None = None
    llm: LlmSettings = LlmSettings()
    student: StudentSettings = StudentSettings()
    loop: LoopSettings = LoopSettings()

    def effective(self) -> TrainingJob:
        """The same job with the spec's overrides merged into the settings."""
        return self.model_copy(
            update={
                "llm": self.spec.llm_settings(self.llm),
                "student": self.spec.student_settings(self.student),
                "loop": self.spec.loop_settings(self.loop),
            }
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a job. `folder` holds every file of it; `budget_reached` says the results are partial."""

    folder: Path
    metrics: dict[str, Any]
    budget_reached: bool


async def train(
    job: TrainingJob,
    *,
    emit: Emit = ignore,
    api_key: str | None = None,
    environ: Mapping[str, str] = os.environ,
    limiter: Limiter | None = None,
) -> Outcome:
    """Read, annotate and train in rounds, decide, write. May be called again after a crash: it resumes.

    `limiter` is for whoever wants to give the job less than the provider's limits (`Limiter.take_share`).

    Raises `InputError` for the CSV, `ConfigError` for settings, spec and credentials, `LlmError` when the language
    model is out of reach, `TrainingError` when its answers are of no use.
    """
    job = job.effective()
    started = now()
    table, pool = _read(job, emit)
    job.work.mkdir(parents=True, exist_ok=True)
    job.answers.parent.mkdir(parents=True, exist_ok=True)
    trainer = _trainer(job, texts=len(pool), emit=emit)
    model = await open_chat_model(
        job.llm,
        cache=job.cache,
        key_folder=job.key_folder,
        device=job.student.device,
        emit=emit,
        api_key=api_key,
        environ=environ,
        limiter=limiter,
    )
    async with contextlib.aclosing(model):
        rounds = RoundStore(job.work, question=_question(job, pool, model, trainer))
        with _annotating(job, model, emit) as annotator:
            result = await run_loop(job, pool, annotator=annotator, trainer=trainer, rounds=rounds, emit=emit)
    plain_accuracy = await _compared(job, pool, result) if job.loop.compare_plain else None
    emit(Progress("writing", 0, 0, 1, "files"))
    run = FinishedRun(
        job_id=job.job_id,
        csv=job.csv,
        spec=job.spec,
        settings=job.model_dump(mode="json", include={"llm", "student", "loop"}),
        table=table,
        pool=pool,
        llm=Answerer(model.provider, model.model, model.style),
        student=dict(trainer.description),
        ledger=annotator.ledger,
        result=result,
        decisions=decide(result.best, job.spec.task.names, abstain_below=job.loop.abstain_below),
        started=started,
        plain_accuracy=plain_accuracy,
    )
    model_folder = rounds.model_folder(result.best.round)
    metrics = results.write(run, job.output, model_folder=model_folder, previous_model=job.previous_model)
    emit(Progress("writing", 0, 1, 1, "files"))
    return Outcome(job.output, metrics, result.budget_reached)


def _read(job: TrainingJob, emit: Emit) -> tuple[Table, Pool]:
    emit(Progress("reading", 0, 0, 1, "files"))
    table = read_table(job.csv, job.spec.csv)
    pool = build_pool(table, job.spec)
    if pool.unknown_truth:
        emit(Notice(f"{pool.unknown_truth} values of {job.spec.label_column} are not among the labels: not evaluated"))
    emit(Progress("reading", 0, 1, 1, "files"))
    return table, pool


def _trainer(job: TrainingJob, *, texts: int, emit: Emit) -> Trainer:
    if not job.student.warm_start:
        return open_trainer(job.student, texts=texts)
    if job.previous_model is None:
        emit(Notice("warm_start: there is no earlier version of this model; the student starts from the base encoder"))
    try:
        return open_trainer(job.student, texts=texts, previous=job.previous_model)
    except ModelFolderError as error:
        emit(Notice(f"warm_start: {error}; the student starts from the base encoder"))
        return open_trainer(job.student, texts=texts)


async def _compared(job: TrainingJob, pool: Pool, result: LoopResult) -> float | None:
    trainer = open_trainer(baseline.plain(job.student), texts=len(pool))
    first = result.rounds[0].annotations
    return await baseline.plain_distillation(pool, first, trainer, names=job.spec.task.names, seed=job.student.seed)


@contextlib.contextmanager
def _annotating(job: TrainingJob, model: ChatModel, emit: Emit) -> Iterator[Annotator]:
    """The annotator, with its answer store, its ledger and the record of its batches open."""
    with contextlib.closing(
        SqliteStore(job.answers, job=job.job_id, asked_of=f"{model.provider}/{model.model}")
    ) as answers:
        price = price_of(model.provider, model.model, job.llm.prices)
        ledger = Ledger(price, job.llm.budget_usd, model=model.model, spent=answers.billed())
        with open_batches(
            model,
            job.llm,
            record=job.answers.with_name(batchbook.FILE_NAME),
            job=job.job_id,
            store=answers,
            ledger=ledger,
            emit=emit,
        ) as batches:
            yield Annotator(model, answers, ledger, emit, job.llm.calibration, batches=batches)


async def run_loop(
    job: TrainingJob,
    pool: Pool,
    *,
    annotator: Annotator,
    trainer: Trainer,
    rounds: RoundStore,
    emit: Emit,
) -> LoopResult:
    """The rounds of `job`, whose settings are the effective ones."""
    loop = Loop(
        task=job.spec.task,
        pool=pool,
        annotator=annotator,
        trainer=trainer,
        settings=job.loop,
        store=rounds,
        evaluation=Evaluation.of(pool),
        seed=job.student.seed,
        emit=emit,
    )
    return await loop.run(job.spec.demonstrations)


def _question(job: TrainingJob, pool: Pool, model: ChatModel, trainer: Trainer) -> str:
    """What a finished round depends on; not how many rounds there are to be, nor what they may cost."""
    parts = [
        pool.texts,
        pool.row_index,
        pool.truth,
        pool.paraphrases,
        job.spec.model_dump(mode="json", include={"description", "labels", "examples"}),
        job.student.model_dump(mode="json"),
        job.loop.model_dump(mode="json", exclude={"iterations", "compare_plain", "abstain_below"}),
        job.llm.calibration,
        model.fingerprint,
        trainer.description,
        str(job.previous_model) if job.student.warm_start else None,
    ]
    return json.dumps(parts)
