"""A new version from a finished one and the labels that a person corrected: trained anew, without a question.

The rows are those of the version; a corrected text is learned from as it was corrected and keeps that label, whatever
the models say, in this version and in those that come after it. All other answers are the version's own, unless the
language model is to be asked again (`loop.ask_after_corrections`): then what is not clean is, in later rounds.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from freeal.compute.device_turn import DeviceTurn, always
from freeal.corrections import corrections_file, row_matching
from freeal.errors import ConfigError, LlmError, Where
from freeal.events import Emit, Notice, Progress, ignore
from freeal.job import pool_of_job
from freeal.job.job_resources import JobResources
from freeal.job.new_version import asked_rows, certification_job
from freeal.job.run_inputs import Given
from freeal.job.run_training_job import Outcome, carry_out
from freeal.job.training_job import TrainingJob
from freeal.llm.limits.rate_limiter import Limiter
from freeal.llm.protocols import ChatModel
from freeal.loop.known_labels import Known
from freeal.preflight import preflight_check
from freeal.results import previous_version, student_of_version
from freeal.results.llm_of_version import llm_settings_as_annotated
from freeal.results.previous_version import Earlier
from freeal.settings import LlmSettings, LoopSettings, RaySettings, StudentSettings
from freeal.spec.job_spec import Spec
from freeal.student.protocols import Trainer
from freeal.table.csv_format import CsvFormat
from freeal.types import Annotation, Prompt, PromptStyle, Reply, Status

LEAST_ROUNDS_TO_ASK = 2
"""The first takes the answers that are there."""


class CorrectionJob(BaseModel):
    """Everything one correction needs, and nothing secret: it travels to a child process as JSON.

    `version` is the folder of the version that is corrected, `csv` a table with a `freeal_corrected` column and the
    version's text columns; the other fields are those of `TrainingJob`. Task, labels and columns are the version's.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    job_id: str
    version: Path
    csv: Path
    output: Path
    work: Path
    answers: Path
    cache: Path
    key_folder: Path
    page: str | None = None
    billed_to: str = ""
    most_at_once: int | None = None
    llm: LlmSettings = LlmSettings()
    student: StudentSettings = StudentSettings()
    loop: LoopSettings = LoopSettings()
    ray: RaySettings = RaySettings()

    def training(self, spec: Spec) -> TrainingJob:
        """The same as a training job of `spec`, with its effective settings."""
        own = self.model_dump(exclude={"version"})
        job = TrainingJob(**own, spec=spec, previous_model=self.version / "model").effective()
        rounds = max(LEAST_ROUNDS_TO_ASK, job.loop.iterations) if job.loop.ask_after_corrections else 1
        return job.model_copy(
            update={
                "loop": job.loop.model_copy(update={"iterations": rounds}),
                "student": student_of_version.settings_with_student_of_version(job.student, self.version),
            }
        )


async def correct(
    job: CorrectionJob,
    *,
    emit: Emit = ignore,
    api_key: str | None = None,
    environ: Mapping[str, str] = os.environ,
    limiter: Limiter | None = None,
    device_turn: DeviceTurn = always,
    chat_model: ChatModel | None = None,
    trainer: Trainer | None = None,
) -> Outcome:
    """Read version and corrections, train, decide, write. May be called again after a crash: it resumes.

    Raises `InputError` for the corrections, all that is wrong at once; `CorruptModelError` for the version; where the
    language model is to be asked, what `train` raises.
    """
    if job.output.resolve() == job.version.resolve():
        raise ConfigError("would overwrite the version that is corrected", where=Where(file=job.output))
    emit(Progress("reading", 0, 0, 1, "files"))
    before = asked_rows.joined_with_asked_rows(previous_version.read_version(job.version), emit=emit)
    training = job.training(before.spec)
    given = given_by_corrections(before, job.csv, training, emit=emit)
    emit(Progress("reading", 0, 1, 1, "files"))
    asks = training.loop.ask_after_corrections
    if asks and chat_model is None:
        training = asking_its_annotator(training, job.version)
    resources = JobResources(
        emit=emit,
        api_key=api_key,
        environ=environ,
        limiter=limiter,
        turn=device_turn,
        chat_model=chat_model if asks else Unasked(),
        trainer=trainer,
    )
    return await carry_out(training, given, resources, llm=None if asks else before.llm)


def asking_its_annotator(job: TrainingJob, version: Path) -> TrainingJob:
    """A job that asks the language model that annotated `version`. Raises `ConfigError`, `CorruptModelError`."""
    return job.model_copy(update={"llm": llm_settings_as_annotated(job.llm, version)})


def given_by_corrections(before: Earlier, path: Path, job: TrainingJob, *, emit: Emit = ignore) -> Given:
    """The version's rows and answers with the corrections of a file in their place. Raises `InputError`."""
    names, kind = before.spec.task.names, before.spec.kind
    id_column = before.spec.id_column
    found = corrections_file.read(
        path,
        CsvFormat(),
        text_columns=before.pool.text_columns,
        labels=names,
        kind=kind,
        place_columns=[row_matching.ROW_COLUMN, *([id_column] if id_column else [])],
    )
    found, changed = row_matching.match_corrections(found, before.table, before.pool, id_column=id_column, path=path)
    if changed:
        what = "correction" if changed == 1 else "corrections"
        emit(Notice(f"{changed:,} {what} came back with another text than the row has: the row's own is kept"))
    checked = preflight_check.check(
        corrections_file.table_with_corrections(before.table, found, before.pool), before.spec
    )
    pool = pool_of_job.group_near_duplicates(
        dataclasses.replace(checked.pool, held_out=before.pool.held_out), job.loop, emit=emit
    )
    pool = certification_job.keep_drawn_rows_out(pool, before.folder / "model")
    pool, taught = pool_of_job.taught_labels_of_pool(pool, before.spec, seed=job.student.seed, emit=emit)
    said = before.said | {one.text: one.label for one in found}
    added = len(pool) - len(before.pool)
    emit(Notice(f"{len(found):,} texts are corrected" + (f", {added:,} of them new: added as rows" if added else "")))
    known = Known(
        annotations=(*before.annotations, *_unanswered(range(len(before.pool), len(pool)))),
        demonstrations=before.demonstrations,
        confirmed=taught | corrections_file.by_index(said, pool, names, kind),
        taught=taught,
        form=before.llm.form,
    )
    return Given(
        table=checked.table,
        pool=pool,
        warnings=checked.warnings,
        known=known,
        said=said,
        earlier=before,
        corrected=corrections_file.by_index({one.text: one.label for one in found}, pool, names, kind),
    )


def _unanswered(indices: Sequence[int]) -> list[Annotation]:
    return [Annotation(index, None, 0.0, (Status.NOT_ASKED,), 0) for index in indices]


class Unasked:
    """A `ChatModel` for a run that asks nothing: to be asked is an error."""

    provider = "local"
    model = "unasked"
    style: PromptStyle = "chat"
    writes = False
    rows_per_call = 1
    concurrency = 1
    fingerprint = "unasked"

    async def answer(self, prompts: Sequence[Prompt]) -> list[Reply]:
        """Never answers."""
        raise LlmError(f"{len(prompts)} questions were to be asked in a run that asks none")

    async def aclose(self) -> None:
        """Nothing to release."""
