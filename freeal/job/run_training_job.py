"""One training job, from CSV to finished folder: the path command line, notebook and daemon all take."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio.to_thread

from freeal.compute.device_turn import DeviceTurn, always
from freeal.corrections import corrections_file
from freeal.events import Emit, Notice, Progress, ignore
from freeal.job import pilot_job, pool_of_job, trainer_of_job, write_output_folder
from freeal.job.job_resources import JobResources
from freeal.job.new_version import label_change_job
from freeal.job.plain_accuracy import plain_accuracy
from freeal.job.resolve_provider import resolve_provider, resolve_providers
from freeal.job.run_inputs import Given, effects_of_corrections
from freeal.job.run_loop import Asked, ask_and_train
from freeal.job.timing.remaining_time import RemainingTime
from freeal.job.training_job import TrainingJob
from freeal.llm.limits.rate_limiter import Limiter
from freeal.llm.protocols import ChatModel
from freeal.loop.final_label import decide_final_labels
from freeal.loop.known_labels import Known
from freeal.results.finished_run import Answerer, FinishedRun, now
from freeal.settings import LlmSettings
from freeal.student.encoder import text_truncation
from freeal.student.protocols import ComparesStudents, Trainer


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a job. `folder` holds every file of it; `budget_reached` says the results are partial, `is_pilot`
    that they are of the first rows only."""

    folder: Path
    metrics: dict[str, Any]
    budget_reached: bool
    is_pilot: bool = False


async def train(
    job: TrainingJob,
    *,
    emit: Emit = ignore,
    api_key: str | None = None,
    environ: Mapping[str, str] = os.environ,
    limiter: Limiter | None = None,
    device_turn: DeviceTurn = always,
    chat_model: ChatModel | None = None,
    trainer: Trainer | None = None,
) -> Outcome:
    """Read, annotate and train in rounds, decide, write. May be called again after a crash: it resumes.

    What `emit` and all behind it are for, `JobResources` says.

    Raises `InputError` for the CSV, `ConfigError` for settings, spec and credentials, `LlmError` when the language
    model is out of reach, `TrainingError` when its answers are of no use, `CorruptModelError` where what a person said
    about the model cannot be read: it is never left out in silence.
    """
    job = job.effective()
    job.check_kind(trainer)
    checked, whole = pool_of_job.read_job_table(job.csv, job.spec, emit=emit), None
    if job.pilot_rows is not None:
        checked, whole = pilot_job.first_rows_for_pilot(checked, job.spec, job.pilot_rows)
    pool = pool_of_job.divide_pool(
        checked.pool, job.loop, seed=job.student.seed, previous=job.previous_model, emit=emit
    )
    said = corrections_file.remembered_corrections(job.previous_model.parent) if job.previous_model else {}
    names, kind = job.spec.task.names, job.spec.kind
    confirmed = corrections_file.by_index(said, pool, names, kind) if job.loop.keep_corrections else {}
    if confirmed:
        emit(Notice(f"{len(confirmed):,} texts keep the label a person gave them (loop.keep_corrections)"))
    pool, taught = pool_of_job.taught_labels_of_pool(pool, job.spec, seed=job.student.seed, emit=emit)
    known = Known(confirmed=taught | confirmed, taught=taught)
    given = Given(checked.table, pool, checked.warnings, known, said, pilot_of=whole)
    if job.previous_model is not None:
        provider: str = chat_model.provider if chat_model else ""
        if not provider:
            provider, _ = resolve_provider(job.llm, api_key=api_key, environ=environ, key_folder=job.key_folder)
        given = label_change_job.with_label_changes(
            given, job.spec, previous_model=job.previous_model, provider=provider, llm=job.llm, loop=job.loop, emit=emit
        )
    if job.pilot is not None:
        known = pilot_job.known_from_pilot(job.pilot, pool, given.known, labels=job.spec.task.names, emit=emit)
        given = dataclasses.replace(given, known=known)
    resources = JobResources(
        emit=emit,
        api_key=api_key,
        environ=environ,
        limiter=limiter,
        turn=device_turn,
        chat_model=chat_model,
        trainer=trainer,
    )
    # a caller's own language model answers in the place of all that the spec names
    further = () if chat_model is not None else job.further_llms
    if further:
        resolve_providers((job.llm, *further), api_key=api_key, environ=environ, key_folder=job.key_folder)
    return await carry_out(job, given, resources, further=further)


async def carry_out(
    job: TrainingJob,
    given: Given,
    resources: JobResources,
    *,
    further: Sequence[LlmSettings] = (),
    llm: Answerer | None = None,
) -> Outcome:
    """The rounds of a job whose settings are the effective ones and whose rows are `given`, and its folder.

    `further` are the language models to be asked after the first; `llm` is who gave the answers where that is not the
    model that is asked.
    """
    started, pool = now(), given.pool
    looks = 0 if job.llm_use == "side_by_side" else len(further)
    emit = RemainingTime(resources.emit, rounds=job.loop.iterations + looks)
    for folder in (job.work, job.answers.parent):
        folder.mkdir(parents=True, exist_ok=True)
    emit(Progress("loading", 0, 0, 2, "models"))
    trainer = resources.trainer or trainer_of_job.trainer_for(
        job.student,
        texts=len(pool),
        previous=job.previous_model,
        most_at_once=job.most_at_once,
        emit=emit,
        scratch=job.work,
        kind=job.spec.kind,
        ray=job.ray,
    )
    emit(Progress("loading", 0, 1, 2, "models"))
    asked = await ask_and_train(job, given, resources, further, trainer=trainer, emit=emit)
    result = asked.result
    accuracy = await plain_accuracy(
        job, pool, result.rounds[0].annotations, trainer=trainer, emit=emit, turn=resources.turn
    )
    emit(Progress("writing", 0, 0, 1, "files"))
    model_folder = asked.rounds.model_folder(result.best.round)
    run = _finished_run(
        job,
        given,
        asked,
        answerers=(llm,) if llm else asked.answerers,
        student=dict(trainer.description),
        student_comparison=trainer.comparison if isinstance(trainer, ComparesStudents) else None,
        started=started,
        plain_accuracy=accuracy,
        cut=await anyio.to_thread.run_sync(text_truncation.truncated_texts, model_folder, pool.texts),
    )
    for warning in run.outcome_warnings:
        emit(Notice(warning))
    metrics = write_output_folder.write_output_folder(
        run, job.output, model_folder=model_folder, previous_model=job.previous_model
    )
    if given.pilot_of is not None:
        pilot_job.write_pilot_outcome(run, job.output, given.pilot_of)
    emit(Progress("writing", 0, 1, 1, "files"))
    return Outcome(job.output, metrics, result.budget_reached, is_pilot=given.pilot_of is not None)


def _finished_run(
    job: TrainingJob,
    given: Given,
    asked: Asked,
    *,
    answerers: tuple[Answerer, ...],
    student: dict[str, str],
    student_comparison: dict[str, Any] | None,
    started: str,
    plain_accuracy: float | None,
    cut: frozenset[int],
) -> FinishedRun:
    names, kind, result = job.spec.task.names, job.spec.kind, asked.result
    decisions = decide_final_labels(
        result.best, names, abstain_below=job.loop.abstain_below, kind=kind, back_off=job.spec.back_off
    )
    return FinishedRun(
        job_id=job.job_id,
        csv=job.csv,
        spec=job.spec,
        settings=_settings(job),
        table=given.table,
        pool=given.pool,
        answerers=answerers,
        student=student,
        student_comparison=student_comparison,
        ledger=asked.ledger,
        bills=asked.bills,
        result=result,
        decisions=decisions,
        started=started,
        plain_accuracy=plain_accuracy,
        checked_warnings=given.warnings,
        cut=cut,
        said=given.said,
        corrections=effects_of_corrections(given, decisions),
        earlier_input=given.earlier.input if given.earlier else None,
        page=job.page,
        label_changes=given.label_changes,
    )


def _settings(job: TrainingJob) -> dict[str, Any]:
    include = {"llm", "student", "loop"} | ({"further_llms"} if job.further_llms else set())
    return job.model_dump(mode="json", include=include)
