"""Rows that a model's promise leaves without a label, asked of the language model that annotated: within a cap, stored
like every answer, so that what was paid is not paid again by a window that is done twice."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal

from freeal.annotation.annotator import Annotator, LabelRequest
from freeal.annotation.question_form import PLAIN, QuestionForm
from freeal.corrections import asked_texts
from freeal.corrections.asked_texts import AskedText
from freeal.errors import ConfigError, LlmError, Where
from freeal.events import Emit, Event, Notice, ignore
from freeal.files.model_folders import classifier_folder, results_folder
from freeal.job.open_chat_model import open_chat_model
from freeal.llm.limits.rate_limiter import Limiter
from freeal.llm.protocols import ChatModel
from freeal.llm.store.answer_store import SqliteStore
from freeal.money.budget_ledger import Ledger
from freeal.money.prices import price_of
from freeal.prediction.prediction_job import AskBelowPromise
from freeal.prediction.published_model import Classifier
from freeal.prediction.second_opinion import ASKED, AskedRow, Opinion
from freeal.results import previous_version
from freeal.results.llm_of_version import llm_settings_as_annotated
from freeal.results.run_json_file import read_spec_of_version
from freeal.spec.job_spec import Spec
from freeal.types import Annotation, Demonstration, Status, Task

AT_ONCE = 4
"""Texts between two looks whether to stop, as a multiple of the calls under way at once."""
_LATER_ROUND = 2
"""In round 1 a cap that leaves no answer at all is an error; here it is no more than a status."""


class BelowPromise:
    """Asks about rows of one prediction. A `SecondOpinion` (freeal/prediction/second_opinion.py)."""

    def __init__(
        self,
        told: AskBelowPromise,
        version: Path,
        spec: Spec,
        shown: Sequence[Demonstration],
        *,
        form: QuestionForm = PLAIN,
        emit: Emit = ignore,
        api_key: str | None = None,
        environ: Mapping[str, str] = os.environ,
        chat_model: ChatModel | None = None,
        at_once: int = AT_ONCE,
    ) -> None:
        """`shown` are demonstrations; a model that scores labels is asked in `form` where `llm.form` fixes none."""
        self._at_once, self._form = at_once, form
        self._told, self._version, self._task, self._shown = told, version, spec.task, shown
        self._settings = spec.llm_settings(told.llm).model_copy(update={"budget_usd": told.llm.budget_usd})
        self._emit, self._api_key, self._environ, self._chat_model = emit, api_key, environ, chat_model
        self._limiter = Limiter.of(self._settings)
        self._opened = contextlib.ExitStack()
        self._portal: BlockingPortal | None = None
        self._annotator: Annotator | None = None
        self._by = ""
        self._answers: dict[str, Opinion] = {}
        self._to_keep: list[AskedText] = []
        self._gave_up = ""

    @classmethod
    def of(
        cls,
        told: AskBelowPromise,
        classifier: Classifier,
        model: Path,
        *,
        emit: Emit = ignore,
        api_key: str | None = None,
        chat_model: ChatModel | None = None,
    ) -> BelowPromise | None:
        """For the model in the folder `model`; None where it promises nothing. Raises `ConfigError` where its version
        is not at hand: who annotates, and with which demonstrations, stands there."""
        if classifier.extra.get("promise") is None or classifier.kind == "multi":  # several labels have no promise
            return None
        version = results_folder(classifier_folder(model))
        if not (version / previous_version.FILE_NAME).is_file():
            hint = "name the version's folder (models/NAME), or leave rows below the promise without a label"
            raise ConfigError(
                "is not beside its version, so nobody can be asked about rows below its promise",
                where=Where(file=model),
                hint=hint,
            )
        spec = read_spec_of_version(version)
        if chat_model is None:
            told = told.model_copy(update={"llm": llm_settings_as_annotated(told.llm, version)})
        llm, shown = previous_version.how_it_asked(version)
        form = PLAIN if llm.form is None else QuestionForm(llm.form)
        fitting = _balanced(shown, spec.task)
        return cls(told, version, spec, fitting, form=form, emit=emit, api_key=api_key, chat_model=chat_model)

    def take_share(self, share: float) -> None:
        """Of the provider's limits, from now on."""
        self._limiter.take_share(share)

    def ask(self, rows: Sequence[AskedRow], go_on: Callable[[], bool]) -> list[Opinion] | None:
        """Ask a language model about rows below the promise: what it says of each; None where `go_on` said no before
        all were asked: the same rows again go on."""
        missing = [row for row in rows if row.text not in self._answers]
        size = self._at_once * self._settings.concurrency
        for part in (missing[start : start + size] for start in range(0, len(missing), size)):
            if not go_on():
                return None
            self._answers.update(zip((row.text for row in part), self._opinions_within_cap(part), strict=True))
        found = [self._answers[row.text] for row in rows]
        self._to_keep = [
            AskedText(row.text, row.values, one.label, one.confidence, row.student_label)
            for row, one in zip(rows, found, strict=True)
            if one.label is not None
        ]
        return found

    def keep(self) -> None:
        """What was said last goes beside the version, for the next one."""
        asked_texts.add_asked_texts(self._version, self._to_keep)
        self._to_keep = []
        self._answers.clear()

    def summary(self) -> dict[str, Any]:
        """Who was asked about rows below the promise, where this run asked anybody, and what that cost, over all runs
        of the prediction; empty where nobody was."""
        if not self._told.answers.exists():
            return {}
        with contextlib.closing(SqliteStore(self._told.answers, job=self._told.payer)) as store:
            bill = store.billed()
        if not bill.usage.calls and not self._by:
            return {}
        by = {"asked_of": self._by} if self._by else {}
        return by | {"asked_usd": round(bill.usd, 6), "asked_calls": bill.usage.calls}

    def close(self) -> None:
        """Let go of model and store."""
        self._opened.close()
        self._portal = self._annotator = None

    def _opinions_within_cap(self, rows: Sequence[AskedRow]) -> list[Opinion]:
        """A language model that cannot be reached costs these rows their label, and not the table its others."""
        if self._gave_up:
            return [Opinion(None, str(Status.API_ERROR))] * len(rows)
        try:
            annotator, portal = self._ready_annotator()
            notes = portal.call(self._annotate_below_promise, annotator, [row.text for row in rows])
        except LlmError as error:
            self._gave_up = str(error)
            self._emit(Notice(f"rows below the promise are asked no more: {error}"))
            return [Opinion(None, str(Status.API_ERROR))] * len(rows)
        return [_opinion(note) for note in notes]

    async def _annotate_below_promise(self, annotator: Annotator, texts: Sequence[str]) -> list[Annotation]:
        requests = [LabelRequest(index, text) for index, text in enumerate(texts)]
        form = annotator.fixed_form or self._form
        return await annotator.annotate(
            requests, task=self._task, shared=self._shown, round_number=_LATER_ROUND, form=form
        )

    def _ready_annotator(self) -> tuple[Annotator, BlockingPortal]:
        """The language model, opened with the first row that needs it. Raises `ConfigError`, `CredentialsError`."""
        if self._annotator is None or self._portal is None:
            portal = self._opened.enter_context(start_blocking_portal())
            if self._chat_model is None:
                model = portal.call(self._open_chat_model)
                self._opened.callback(portal.call, model.aclose)
                self._chat_model = model
                self._opened.callback(setattr, self, "_chat_model", None)
            model = self._chat_model
            self._told.answers.parent.mkdir(parents=True, exist_ok=True)
            store = SqliteStore(self._told.answers, job=self._told.payer, asked_of=f"{model.provider}/{model.model}")
            self._opened.callback(store.close)
            price = price_of(model.provider, model.model, self._settings.prices)
            ledger = Ledger(price, self._settings.budget_usd, model=model.model, spent=store.begin())
            self._by = f"{model.provider}/{model.model}"
            calibration, form = self._settings.calibration, self._settings.form
            self._annotator = Annotator(model, store, ledger, self._heard, calibration, form=form)
            self._portal = portal
        return self._annotator, self._portal

    async def _open_chat_model(self) -> ChatModel:
        return await open_chat_model(
            self._settings,
            cache=self._told.cache,
            key_folder=self._told.key_folder,
            device="auto",
            emit=self._emit,
            api_key=self._api_key,
            environ=self._environ,
            limiter=self._limiter,
        )

    def _heard(self, event: Event) -> None:
        if isinstance(event, Notice):  # progress is that of the table
            self._emit(event)


def _opinion(note: Annotation) -> Opinion:
    if note.is_answer:
        return Opinion(note.label, ASKED, note.confidence, note.branch)
    return Opinion(None, ";".join(str(status) for status in note.statuses))


def _balanced(shown: Sequence[Demonstration], task: Task, *, most: int = 8) -> tuple[Demonstration, ...]:
    """Of each label in turn, until there are `most` (as `loop.shots` has it) or one of each."""
    by_label = [[demo for demo in shown if demo.label == name] for name in task.names]
    rounds = itertools.chain.from_iterable(itertools.zip_longest(*by_label))
    return tuple(itertools.islice((demo for demo in rounds if demo is not None), max(most, len(task.names))))
