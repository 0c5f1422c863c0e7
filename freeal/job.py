"""One training job, from CSV to finished folder: the path command line, notebook and daemon all take."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import importlib.metadata
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from freeal import atomic, outputs
from freeal.annotate import Annotator
from freeal.assembly import open_chat_model, open_trainer
from freeal.budget import Ledger, price_of
from freeal.decide import Decision, decide
from freeal.events import Emit, Notice, Progress, ignore
from freeal.llm.base import ChatModel
from freeal.llm.cache import SqliteStore
from freeal.loop import Loop, LoopResult
from freeal.metrics import Evaluation, final_metrics
from freeal.pool import Pool, build_pool
from freeal.prompts import label_prompt
from freeal.settings import LlmSettings, LoopSettings, StudentSettings
from freeal.spec import Spec
from freeal.state import RoundStore
from freeal.student import card
from freeal.student.base import Trainer
from freeal.table import Table, read_table

SCHEMA_VERSION = 1
"""Of metrics.json and run.json."""


class TrainingJob(BaseModel):
    """Everything one job needs, and nothing secret: it travels to a child process as JSON.

    `output` is the folder `train` fills; `work` holds the rounds until then and makes a killed job resumable; `answers`
    is the answer store, shared by all jobs; `cache` keeps converted models; `api_key.py` may stand in `key_folder`.
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
) -> Outcome:
    """Read, annotate and train in rounds, decide, write. May be called again after a crash: it resumes.

    Raises `InputError` for the CSV, `ConfigError` for settings, spec and credentials, `LlmError` when the language
    model is out of reach, `TrainingError` when its answers are of no use.
    """
    job = job.effective()
    started = _now()
    emit(Progress("reading", 0, 0, 1, "files"))
    table = read_table(job.csv, job.spec.csv)
    pool = build_pool(table, job.spec)
    if pool.unknown_truth:
        emit(Notice(f"{pool.unknown_truth} values of {job.spec.label_column} are not among the labels: not evaluated"))
    emit(Progress("reading", 0, 1, 1, "files"))
    job.work.mkdir(parents=True, exist_ok=True)
    job.answers.parent.mkdir(parents=True, exist_ok=True)
    trainer = open_trainer(job.student, texts=len(pool))
    model = await open_chat_model(
        job.llm,
        cache=job.cache,
        key_folder=job.key_folder,
        device=job.student.device,
        emit=emit,
        api_key=api_key,
        environ=environ,
    )
    store = SqliteStore(job.answers)
    try:
        price = price_of(model.provider, model.model, job.llm.prices)
        ledger = Ledger(price, job.llm.budget_usd, model=model.model)
        annotator = Annotator(model, store, ledger, emit, job.llm.calibration)
        rounds = RoundStore(job.work, question=_question(job, pool, model, trainer))
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
        result = await loop.run(job.spec.demonstrations)
    finally:
        store.close()
        await model.aclose()
    emit(Progress("writing", 0, 0, 1, "files"))
    decisions = decide(result.best, job.spec.task.names, abstain_below=job.loop.abstain_below)
    run = _Run(job, table, pool, model, trainer, ledger, result, decisions, started)
    metrics = run.metrics()
    run.write(rounds.model_folder(result.best.round), metrics)
    emit(Progress("writing", 0, 1, 1, "files"))
    return Outcome(job.output, metrics, result.budget_reached)


def _question(job: TrainingJob, pool: Pool, model: ChatModel, trainer: Trainer) -> str:
    """What a finished round depends on; not how many rounds there are to be, nor what they may cost."""
    parts = [
        pool.texts,
        pool.row_index,
        pool.truth,
        job.spec.model_dump(mode="json", include={"description", "labels", "examples"}),
        job.student.model_dump(mode="json"),
        job.loop.model_dump(mode="json", exclude={"iterations"}),
        job.llm.calibration,
        model.fingerprint,
        trainer.description,
    ]
    return json.dumps(parts)


@dataclasses.dataclass(frozen=True)
class _Run:
    """A finished run, on its way to disk."""

    job: TrainingJob
    table: Table
    pool: Pool
    model: ChatModel
    trainer: Trainer
    ledger: Ledger
    result: LoopResult
    decisions: list[Decision]
    started: str

    def write(self, model_folder: Path, metrics: dict[str, Any]) -> None:
        """Fill the job's output folder."""
        folder, labels = self.job.output, self.job.spec.task.names
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copytree(model_folder, folder / "model", dirs_exist_ok=True)
        extra = {"name": self.job.spec.name, "job": self.job.job_id, "text_columns": list(self.pool.text_columns)}
        card.add_extra(folder / "model", extra)
        annotations = self.result.best.annotations
        outputs.write_annotated(folder / "annotated.csv", self.table, self.pool, self.decisions, annotations)
        outputs.write_audit(
            folder / "audit.jsonl", self.result, self.pool, provider=self.model.provider, model=self.model.model
        )
        outputs.write_demonstrations(folder, self.result)
        outputs.write_confusions(folder, self.pool, self.decisions, labels)
        atomic.write_json(folder / "cost.json", self.cost())
        atomic.write_json(folder / "run.json", self.record())
        atomic.write_json(folder / "metrics.json", metrics)

    def cost(self) -> dict[str, Any]:
        """Calls, tokens and dollars of this run; answers from the store cost nothing and are not in it."""
        return {"usd": round(self.ledger.usd, 6), **dataclasses.asdict(self.ledger.usage)}

    def metrics(self) -> dict[str, Any]:
        """metrics.json (CONTRACT.md 7)."""
        evaluation = Evaluation.of(self.pool)
        first = self.result.rounds[0]
        baselines = {
            "llm_zero_shot": evaluation.accuracy([note.label for note in self.result.zero_shot])
            if self.result.zero_shot
            else None,
            "llm_first_round": evaluation.accuracy([note.label for note in first.annotations]),
        }
        return {
            "schema_version": SCHEMA_VERSION,
            "job": self.job.job_id,
            "name": self.job.spec.name,
            "rows": len(self.table.rows),
            "distinct_rows": len(self.pool),
            "labels": list(self.job.spec.task.names),
            "llm": {"provider": self.model.provider, "model": self.model.model},
            "student": dict(self.trainer.description),
            "rounds": [state.metrics for state in self.result.rounds],
            "kept_round": self.result.best.round,
            "final": final_metrics(self.decisions, self.pool, self.job.spec.task.names),
            "baselines": {name: round(value, 4) for name, value in baselines.items() if value is not None},
            "cost": self.cost(),
        }

    def record(self) -> dict[str, Any]:
        """run.json: what is needed to understand or repeat this run."""
        settings = self.job.model_dump(mode="json", include={"llm", "student", "loop"})
        return {
            "schema_version": SCHEMA_VERSION,
            "job": self.job.job_id,
            "started": self.started,
            "finished": _now(),
            "input": {
                "file": self.job.csv.name,
                "sha256": hashlib.sha256(self.job.csv.read_bytes()).hexdigest(),
                **dataclasses.asdict(self.table.dialect),
            },
            "spec": self.job.spec.model_dump(mode="json"),
            "settings": settings,
            "first_prompt": self._first_prompt(),
            "versions": {name: importlib.metadata.version(name) for name in _RECORDED_PACKAGES},
        }

    def _first_prompt(self) -> str:
        prompt = label_prompt(
            self.job.spec.task,
            self.pool.texts[0],
            style=self.model.style,
            shared=self.result.rounds[0].demonstrations,
        )
        return "\n\n".join(part for part in (prompt.system, prompt.shared + prompt.specific) if part)


_RECORDED_PACKAGES = ("freeal-daemon", "torch", "transformers", "scikit-learn", "numpy", "anthropic", "kmedoids")


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
