"""Boundary questions about a version, and a new version from their answers: only what can change is asked again."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from freeal.boundaries import boundaries_file, competing_labels, texts_to_ask_again
from freeal.boundaries.boundaries_file import Boundaries, Meanings
from freeal.boundaries.competing_labels import Competition
from freeal.compute.device_turn import DeviceTurn, always
from freeal.corrections import corrections_file
from freeal.errors import ConfigError, Where
from freeal.events import Emit, Notice, ignore
from freeal.job import pool_of_job
from freeal.job.job_resources import JobResources
from freeal.job.new_version import asked_rows, certification_job
from freeal.job.new_version.correction_job import CorrectionJob, asking_its_annotator
from freeal.job.run_inputs import Given
from freeal.job.run_training_job import Outcome, carry_out
from freeal.llm.limits.rate_limiter import Limiter
from freeal.llm.protocols import ChatModel
from freeal.loop.known_labels import Known
from freeal.pool import near_duplicates
from freeal.results import metrics_as_text, model_cost, previous_version
from freeal.results.previous_version import Earlier
from freeal.spec.job_spec import Spec
from freeal.student.model_folder import load_student
from freeal.student.protocols import Trainer

SCORES_LABELS = (
    "the language model of this version scores labels and follows no instruction: rules in words made the packaged "
    "model's labels worse in four of five measured runs. Correct rows of the review queue instead"
)
"""Of completion models; docs/benchmarks.md, "What the answers are worth"."""
NO_BOUNDARIES = "of several labels each is decided by itself: explain in its meaning what it takes"


class BoundaryJob(CorrectionJob):
    """A `CorrectionJob` whose `csv` is an answered boundaries.yaml."""


@dataclasses.dataclass(frozen=True, slots=True)
class Quote:
    """What the answers change and what that costs: `texts` of `of` are asked again, in `rows` rows; `usd` as a call
    for the model cost, None where that is not known. `warning` says why answers in words are of little use, "" where
    none is known."""

    meanings: Meanings
    texts: int
    rows: int
    of: int
    usd: float | None
    warning: str = ""


def write_boundary_questions(
    version: Path, *, output: Path | None = None
) -> tuple[Path, Boundaries, list[Competition]]:
    """Write the questions of a version (`boundaries.yaml` in its folder, or `output`). Raises `CorruptModelError`."""
    earlier = previous_version.read_version(version)
    earlier.refuse_several_labels("boundaries", NO_BOUNDARIES)
    pool = dataclasses.replace(earlier.pool, groups=near_duplicates.near_duplicate_groups(earlier.pool.texts))
    proba = load_student.load(version / "model").predict_proba(pool.texts)
    names = earlier.spec.task.names
    pairs = competing_labels.competing_labels(pool, earlier.annotations, earlier.decisions, labels=names, proba=proba)
    job = metrics_as_text.read_metrics(version)["job"]
    questions = boundaries_file.asked(pairs, pool, earlier.decisions, version=job)
    path = output or version / boundaries_file.FILE_NAME
    boundaries_file.write_boundaries(path, questions)
    return path, questions, pairs


def quote_boundary_answers(version: Path, answers: Path) -> Quote:
    """What an answered file would change and cost; asks nothing. Raises `SpecError`, `CorruptModelError`."""
    earlier = previous_version.read_version(version)
    earlier.refuse_several_labels("boundaries", NO_BOUNDARIES)
    earlier = asked_rows.joined_with_asked_rows(earlier)
    meanings, open_texts = _changes_by_answers(earlier, answers)
    metrics = metrics_as_text.read_metrics(version)
    bill = metrics.get(model_cost.KEY, metrics["cost"])  # that of the last run alone may be of a few texts, or none
    is_free = metrics["llm"]["provider"] == "local"
    each = bill["usd"] / bill["calls"] if bill["usd"] else None
    usd = 0.0 if is_free else None if each is None else round(each * len(open_texts), 4)
    rows = corrections_file.rows_with(dict.fromkeys(open_texts, ""), earlier.pool)
    return Quote(meanings, len(open_texts), rows, len(earlier.pool), usd, warning_of(metrics))


def warning_of(metrics: Mapping[str, Any]) -> str:
    """Why answers in words are of little use to the language model of a version, by its metrics; "" where none is
    known."""
    return SCORES_LABELS if "form" in metrics["llm"] else ""  # one that scores labels has a form, others have none


async def apply_boundary_answers(
    job: BoundaryJob,
    *,
    emit: Emit = ignore,
    api_key: str | None = None,
    environ: Mapping[str, str] = os.environ,
    limiter: Limiter | None = None,
    device_turn: DeviceTurn = always,
    chat_model: ChatModel | None = None,
    trainer: Trainer | None = None,
) -> Outcome:
    """Make the new version: the meanings changed, what can change asked again, the student trained anew.

    Its metrics say under `corrections.flipped` which labels moved. May be called again after a crash: it resumes.
    Raises `SpecError` for the answers and what `train` raises.
    """
    if job.output.resolve() == job.version.resolve():
        raise ConfigError("would overwrite the version it comes from", where=Where(file=job.output))
    earlier = previous_version.read_version(job.version)
    earlier.refuse_several_labels("boundaries", NO_BOUNDARIES)
    earlier = asked_rows.joined_with_asked_rows(earlier, emit=emit)
    meanings, open_texts = _changes_by_answers(earlier, job.csv)
    spec = Spec.model_validate(earlier.spec.model_dump(mode="json") | {"labels": meanings.after})
    training = job.training(spec) if chat_model is not None else asking_its_annotator(job.training(spec), job.version)
    again = set(open_texts)
    emit(Notice(f"{len(again):,} of {len(earlier.pool):,} texts can change and are asked again"))
    pool = pool_of_job.group_near_duplicates(earlier.pool, training.loop, emit=emit)
    pool = certification_job.keep_drawn_rows_out(pool, earlier.folder / "model")
    pool, taught = pool_of_job.taught_labels_of_pool(pool, spec, seed=training.student.seed, emit=emit)
    known = Known(
        # without its distribution an old answer gives way to the new one, and stays where there is none
        annotations=tuple(
            dataclasses.replace(note, distribution=None) if note.index in again else note
            for note in earlier.annotations
        ),
        # those that can change show what a label meant before
        demonstrations=tuple(demo for demo in earlier.demonstrations if demo.index not in again),
        confirmed=taught | corrections_file.by_index(earlier.said, pool, spec.task.names),
        taught=taught,
        open_texts=frozenset(again),
        form=earlier.llm.form,
    )
    given = Given(
        table=earlier.table, pool=pool, warnings=earlier.warnings, known=known, said=earlier.said, earlier=earlier
    )
    resources = JobResources(
        emit=emit,
        api_key=api_key,
        environ=environ,
        limiter=limiter,
        turn=device_turn,
        chat_model=chat_model,
        trainer=trainer,
    )
    return await carry_out(training, given, resources)


def moved(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """What moved, of a version's metrics: `rows`, and `labels` with what each gained and lost."""
    found: dict[str, Any] = metrics["corrections"]["flipped"]
    return found


def _changes_by_answers(earlier: Earlier, answers: Path) -> tuple[Meanings, list[int]]:
    names = earlier.spec.task.names
    meanings = boundaries_file.with_answers(earlier.spec.labels, boundaries_file.read_boundaries(answers, labels=names))
    open_texts = texts_to_ask_again.texts_with_changed_labels(
        earlier.annotations, earlier.decisions, labels=names, changed=set(meanings.changed)
    )
    return meanings, open_texts
