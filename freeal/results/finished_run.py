"""A finished run on its way to disk: what it found, how good it is, what it cost, and how to repeat it."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import hashlib
import importlib.metadata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from freeal.annotation.prompts import in_full, label_prompt
from freeal.annotation.question_form import PLAIN, QuestionForm
from freeal.annotation.question_form_trial import Tried
from freeal.evaluation.metrics import Evaluation, final_metrics
from freeal.llm.store.bill_records import JobBill
from freeal.loop.loop_result import LoopResult
from freeal.money.budget_ledger import Ledger
from freeal.pool.text_pool import Pool
from freeal.results import model_cost, outcome_warnings
from freeal.spec import kind_values
from freeal.spec.job_spec import Spec
from freeal.table import Table
from freeal.types import Annotation, Decision, PromptStyle, Status

if TYPE_CHECKING:
    import numpy as np

SCHEMA_VERSION = 1
"""Of metrics.json and run.json."""

_PACKAGES = ("freeal-daemon", "torch", "transformers", "scikit-learn", "numpy", "anthropic", "kmedoids")


def now() -> str:
    """The time as run.json writes it: UTC, ISO 8601, whole seconds."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


@dataclasses.dataclass(frozen=True, slots=True)
class Answerer:
    """The language model that annotated."""

    provider: str
    model: str
    style: PromptStyle
    form: str | None = None
    """In which form it was asked (llm.form), where it scores labels."""
    forms_tried: tuple[Tried, ...] = ()
    """What that was chosen from."""
    engine: Literal["local", "ray"] = "local"
    """Over a Ray cluster, where a model of provider `local` was not in this machine's memory alone."""


@dataclasses.dataclass(frozen=True)
class FinishedRun:
    """Everything the files of a job are made of. `answerers` are its language models, in order; `settings` are the
    effective ones, `student` says which trainer, `checked_warnings` are those of freeal/preflight/preflight_check.py;
    of the texts at `cut` (pool indices) the student reads a part only; `bills` are what the answer store knows of the
    model.

    `said` is everything a person said about the model (text -> label), `corrections` what that did
    (freeal/results/correction_effects.py). Where `earlier_input` tells what file the rows came from, `csv` are the
    corrections of them. `page` is where the model is on a live page, `label_changes` says what
    became of the labels of the version before, `student_comparison` how students did that were chosen from."""

    job_id: str
    csv: Path
    spec: Spec
    settings: dict[str, Any]
    table: Table
    pool: Pool
    answerers: tuple[Answerer, ...]
    student: dict[str, str]
    ledger: Ledger
    result: LoopResult
    decisions: list[Decision]
    started: str
    plain_accuracy: float | None = None
    checked_warnings: tuple[str, ...] = ()
    cut: frozenset[int] = frozenset()
    said: Mapping[str, str] = dataclasses.field(default_factory=dict)
    corrections: Mapping[str, Any] | None = None
    earlier_input: Mapping[str, Any] | None = None
    page: str | None = None
    label_changes: Mapping[str, Any] | None = None
    bills: tuple[JobBill, ...] = ()
    student_comparison: Mapping[str, Any] | None = None

    @property
    def llm(self) -> Answerer:
        """The first language model, which answered everything."""
        return self.answerers[0]

    @property
    def opinions(self) -> tuple[tuple[Annotation, ...], ...]:
        """What each of several language models said of each pool text, in their order; empty where there is one. One
        that was never asked said nothing."""
        if len(self.answerers) == 1:
            return ()
        told = self.result.best.opinions or (self.result.best.annotations,)
        unasked = tuple(Annotation(index, None, 0.0, (Status.NOT_ASKED,), 0) for index in range(len(self.pool)))
        return (*told, *[unasked] * (len(self.answerers) - len(told)))

    @property
    def label_probabilities(self) -> dict[str, np.ndarray]:
        """Where a text may have several labels, the probability of each by itself, [texts]; else nothing."""
        if self.spec.kind != "multi":
            return {}
        return dict(zip(self.spec.task.names, self.result.best.posterior.T, strict=True))

    @functools.cached_property
    def outcome_warnings(self) -> tuple[str, ...]:
        """What a person should know about how it ended."""
        annotations = self.result.best.annotations
        names, kind = self.spec.task.names, self.spec.kind
        return outcome_warnings.outcome_warnings(self.decisions, annotations, self.pool, labels=names, kind=kind)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know: about the inputs, then about the outcome."""
        return self.checked_warnings + self.outcome_warnings

    def metrics(self, before: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
        """metrics.json (CONTRACT.md 7). `cost` is what this job came to, however often it was cut off; answers that
        were in the store before it cost nothing and are not in it. `model_cost` adds what stands in the metrics of the
        versions `before` it."""
        used = self.ledger.usage
        corrections = {} if self.corrections is None else {"corrections": dict(self.corrections)}
        changes = {} if self.label_changes is None else {"label_changes": dict(self.label_changes)}
        compared = {} if self.student_comparison is None else {"student_comparison": dict(self.student_comparison)}
        cost = {
            "usd": round(self.ledger.usd, 6),
            "is_priced": self.ledger.is_priced,
            "unconfirmed_usd": round(self.ledger.unconfirmed_usd, 6),
            **dataclasses.asdict(used),
            "cache_hit_ratio": round(used.cached_tokens / used.input_tokens, 4) if used.input_tokens else 0.0,
        }
        return {
            **corrections,
            **changes,
            "schema_version": SCHEMA_VERSION,
            "job": self.job_id,
            "name": self.spec.name,
            "rows": len(self.table.rows),
            "distinct_rows": len(self.pool),
            "labels": list(self.spec.task.names),
            "llm": {"provider": self.llm.provider, "model": self.llm.model, **_asked_as(self.llm)},
            **self._forms_tried(),
            **self._annotator_metrics(),
            "student": self.student,
            **compared,
            "rounds": [state.metrics for state in self.result.rounds],
            "kept_round": self.result.best.round,
            "final": self._final_metrics() | {"truncated_rows": self._count_cut_rows()},
            "baselines": self._baseline_accuracies(),
            "warnings": list(self.warnings),
            "cost": cost,
            model_cost.KEY: model_cost.altogether(cost, self.bills, job_id=self.job_id, before=before),
        }

    def _final_metrics(self) -> dict[str, Any]:
        spec = self.spec
        return final_metrics(self.decisions, self.pool, spec.task.names, kind=spec.kind, back_off=spec.back_off)

    def _forms_tried(self) -> dict[str, Any]:
        tried = [dataclasses.asdict(form) for form in self.llm.forms_tried]
        return {"forms_tried": tried} if tried else {}

    def _annotator_metrics(self) -> dict[str, Any]:
        """Of several language models, what each was asked, cost and is worth; nothing where there is one.

        What the rounds do not book to another one, first demonstrations among it, went to the first."""
        if len(self.answerers) == 1:
            return {}
        errors = self.result.best.metrics.get("estimated_errors", {})
        parts = [part for state in self.result.rounds for part in state.metrics.get("annotators", ())]
        evaluation = Evaluation.of(self.pool)
        found: list[dict[str, Any]] = []
        for place, one in enumerate(self.answerers):
            notes = self.opinions[place]
            own = [part for part in parts if part["annotator"] == place]
            entry = {
                "provider": one.provider,
                "model": one.model,
                **_asked_as(one),
                "asked": sum(part["asked"] for part in own),
                "answered": sum(note.is_answer and Status.CORRECTED not in note.statuses for note in notes),
                "usd": round(sum(part["usd"] for part in own), 6),
            }
            known = {"estimated_error": errors.get(str(place)), "accuracy": evaluation.annotation_accuracy(notes)}
            found.append(entry | {name: round(value, 4) for name, value in known.items() if value is not None})
        found[0]["usd"] = round(self.ledger.usd - sum(entry["usd"] for entry in found[1:]), 6)
        return {"llm_use": self.spec.llm_use or "cascade", "annotators": found}

    def _count_cut_rows(self) -> dict[str, int]:
        notes = self.result.best.annotations
        llm = {note.index for note in notes if Status.TRUNCATED in note.statuses}
        return {
            who: sum(index in cut for index in self.pool.row_index)
            for who, cut in (("llm", llm), ("student", self.cut))
        }

    def _baseline_accuracies(self) -> dict[str, float]:
        told = {note.index for note in self.result.best.annotations if Status.CORRECTED in note.statuses}
        evaluation = Evaluation.of(self.pool, told=told)
        known = {"llm_zero_shot": self.result.zero_shot, "llm_first_round": self.result.rounds[0].annotations}
        scores = {name: evaluation.annotation_accuracy(notes) for name, notes in known.items()}
        scores["plain_distillation"] = self.plain_accuracy
        return {name: round(score, 4) for name, score in scores.items() if score is not None}

    def record(self) -> dict[str, Any]:
        """The finished run as run.json: what is needed to understand or repeat it."""
        return {
            "schema_version": SCHEMA_VERSION,
            "job": self.job_id,
            "started": self.started,
            "finished": now(),
            **self._sources(),
            "spec": self.spec.model_dump(mode="json", exclude=kind_values.unsaid(self.spec)),
            "settings": self.settings,
            "warnings": list(self.warnings),
            "first_prompt": self._first_prompt(),
            "versions": {name: importlib.metadata.version(name) for name in _PACKAGES},
        }

    @property
    def file(self) -> str:
        """The name of the file the rows came from."""
        return self.csv.name if self.earlier_input is None else str(self.earlier_input["file"])

    def _sources(self) -> dict[str, Any]:
        read = {"file": self.csv.name, "sha256": hashlib.sha256(self.csv.read_bytes()).hexdigest()}
        if self.earlier_input is None:
            return {"input": read | dataclasses.asdict(self.table.dialect)}
        return {"input": dict(self.earlier_input), "corrections": read}

    def _first_prompt(self) -> str:
        form = PLAIN if self.llm.form is None else QuestionForm(self.llm.form)
        return in_full(label_prompt(self.spec.task, self.pool.texts[0], style=self.llm.style, form=form))


def _asked_as(one: Answerer) -> dict[str, str]:
    """The form of a model that scores labels, and the cluster it was asked over; nothing for others."""
    form = {} if one.form is None else {"form": one.form}
    return form if one.engine == "local" else form | {"engine": one.engine}
