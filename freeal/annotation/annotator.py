"""Texts to annotations through a language model (FreeAL section 3.2; DESIGN.md 4, step 2)."""

from __future__ import annotations

import collections
import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

import anyio.lowlevel

from freeal.annotation.prompts import label_prompt, repair_prompt, writing_prompt
from freeal.annotation.question_form import PLAIN, QuestionForm, form_of
from freeal.annotation.reply_parser import read_texts
from freeal.annotation.send_prompts import Asker
from freeal.annotation.send_prompts_state import WrittenPrompts
from freeal.annotation.unusable_answers import UnusableAnswers
from freeal.annotation.verdict import Verdict, Verdicts, annotation_of, judge_scores, judge_stated
from freeal.events import Emit, Notice, Progress, Stage
from freeal.llm.protocols import BatchSender, ChatModel
from freeal.llm.store.answer_store import KEYS_AT_ONCE, AnswerStore, request_key
from freeal.money.budget_ledger import Ledger
from freeal.text import joined_labels, long_text_shortening
from freeal.text.repeated_text import normal, unrepeated_texts
from freeal.types import Annotation, Demonstration, Prompt, Task

if TYPE_CHECKING:
    import numpy as np

_PROGRESS_REPORTS = 200
_REPORT_SECONDS = 20.0
"""Slow models are reported on this often: a share of a large pool may take an hour."""


@dataclasses.dataclass(frozen=True, slots=True)
class LabelRequest:
    """One pool text to be labelled, with demonstrations chosen for it alone.

    `labels` is its shortlist, nearest first (freeal/selection/label_shortlist.py); None: all labels of the task.
    """

    index: int
    text: str
    own: tuple[Demonstration, ...] = ()
    labels: tuple[str, ...] | None = None


class Annotator:
    """Labels texts with one model for one job.

    `calibration` says what happens to label scores: `batch` removes the model's prior over all texts of one call,
    `none` takes them as they are. Written answers state their own confidence. `batches` takes what is many enough.
    `form` is how a model that scores labels is asked, as `llm.form` says it.
    """

    def __init__(
        self,
        model: ChatModel,
        store: AnswerStore,
        ledger: Ledger,
        emit: Emit,
        calibration: Literal["batch", "none"] = "batch",
        *,
        batches: BatchSender | None = None,
        form: str = "plain",
    ) -> None:
        self._model = model
        self.ledger = ledger
        """What was spent."""
        self.scores = model.style == "completion"
        """Whether it scores the labels behind a text, and writes nothing."""
        self.fixed_form: QuestionForm | None = form_of(form) if self.scores else PLAIN
        """The form it is asked in; None where that is to be found out."""
        self._emit = emit
        self._calibration = calibration
        self._ever_answered = False
        self.unusable = UnusableAnswers()
        """Why texts that were answered have no label."""
        self._asker = Asker(model, store, ledger, emit, batches=batches)

    @property
    def free(self) -> bool:
        """Whether calls are known to cost nothing."""
        return self.ledger.free

    @property
    def budget_reached(self) -> bool:
        """Whether money left any question unsent so far, of whatever pass."""
        return self._asker.budget_reached

    @property
    def writes(self) -> bool:
        """Whether `write_demonstrations` can give any."""
        return self._model.writes

    @property
    def model_name(self) -> str:
        """The language model, as records call it."""
        return self._model.model

    async def annotate(
        self,
        requests: Sequence[LabelRequest],
        *,
        task: Task,
        shared: Sequence[Demonstration] = (),
        round_number: int,
        prior: Sequence[float] | np.ndarray | None = None,
        open_labels: bool = False,
        ranked: bool = False,
        form: QuestionForm = PLAIN,
        stage: Stage = "annotating",
        done_before: int = 0,
        total: int | None = None,
    ) -> list[Annotation]:
        """One annotation per request, in order; equal requests are asked once.

        Progress of `stage` is told as part of `total` requests of which `done_before` are answered; default: of these
        alone. `form` is how a model that scores labels is asked.

        `prior` [labels] is the expected share of each label among these texts, for calibrated scores; `open_labels`
        asks a writing model for all labels that could be right, `ranked` for the probability of each. Texts that could
        not be asked or whose answer is unusable have `label` None and say why in `statuses`. Raises `AccountError`,
        `SpendCapError`, `BudgetReachedError` when round 1 got no answer for its money, or the last error when (nearly)
        every call fails.
        """

        def written(request: LabelRequest) -> Prompt:
            return self._prompt_for_request(request, task, shared, open_labels=open_labels, ranked=ranked, form=form)

        keys: list[str] = []  # "" where there is nothing to ask
        by_key = WrittenPrompts(written)
        again: collections.Counter[str] = collections.Counter()
        for place, request in enumerate(requests):
            if place % KEYS_AT_ONCE == 0:
                await anyio.lowlevel.checkpoint()  # a stop is heard meanwhile
            key = request_key(written(request), self._model.fingerprint) if request.text.strip() else ""
            keys.append(key)
            if key in by_key:
                again[key] += 1
            elif key:
                by_key.add(key, request)
        done = done_before + keys.count("")
        report = self._progress_of_keys(stage, round_number, again, done=done, total=total or len(requests))
        verdicts = Verdicts(by_key)
        asked = await self._asker.ask(by_key, report, verdicts.take_verdict)
        self._ever_answered = self._ever_answered or bool(verdicts.found)
        if asked.budget_error is not None and not self._ever_answered and round_number == 1:
            raise asked.budget_error  # later rounds fall back on the answers of those before; the first has nothing
        await self._repair_verdicts(verdicts)
        self._tell_of_unusable(verdicts)
        self._judge_verdicts(verdicts, task=task, prior=prior)
        for key in asked.failures.keys() - verdicts.found.keys():
            verdicts.found[key] = Verdict(None, 0.0, asked.failures[key])
        return [
            annotation_of(verdicts.found.get(key), index=request.index, text=request.text, round_number=round_number)
            for request, key in zip(requests, keys, strict=True)
        ]

    async def write_demonstrations(
        self, task: Task, *, prototypes: Sequence[str], per_label: int
    ) -> list[Demonstration]:
        """Demonstrations the model writes itself, up to `per_label` per label in the labels' order; of several labels
        also of neighbouring pairs and of none.

        `prototypes` show the style; copies of them and repetitions are dropped. Empty for a model that does not write.
        """
        if not self._model.writes:
            return []
        samples = [text[: long_text_shortening.MOST_DEMONSTRATION_CHARACTERS] for text in prototypes]
        labels = joined_labels.few_combinations(task.names) if task.kind == "multi" else task.names
        prompts = {label: writing_prompt(task, label, prototypes=samples, count=per_label) for label in labels}
        keys = {name: request_key(prompt, self._model.fingerprint) for name, prompt in prompts.items()}
        asked = await self._asker.ask({keys[name]: prompt for name, prompt in prompts.items()}, lambda _: None)
        seen = {normal(text) for text in samples}
        written = []
        for name, key in keys.items():
            reply = asked.replies.get(key)
            texts = unrepeated_texts([] if reply is None else read_texts(reply), seen)[:per_label]
            if not texts:
                self._emit(Notice(f"the model wrote no example for the label {name!r}"))
            written += [Demonstration(text, name, "generated") for text in texts]
        return written

    def _prompt_for_request(
        self,
        request: LabelRequest,
        task: Task,
        shared: Sequence[Demonstration],
        *,
        open_labels: bool,
        ranked: bool,
        form: QuestionForm,
    ) -> Prompt:
        shown = long_text_shortening.shorten_to_fit(request.text, shared=shared, own=request.own)
        return label_prompt(
            task,
            shown.text,
            style=self._model.style,
            shared=shown.shared,
            own=shown.own,
            shortlist=request.labels,
            open_labels=open_labels,
            ranked=ranked,
            form=form,
        )

    async def _repair_verdicts(self, verdicts: Verdicts) -> None:
        """Ask once more, plainly, where an answer named no label."""
        plainer = WrittenPrompts[str](lambda key: repair_prompt(verdicts.prompts[key]))
        repair_keys = {}
        for key in verdicts.useless:
            if verdicts.found[key].repairable:
                repair_keys[key] = request_key(repair_prompt(verdicts.prompts[key]), self._model.fingerprint)
                plainer.add(repair_keys[key], key)
        if not repair_keys:
            return
        repaired = Verdicts(plainer)
        await self._asker.ask(plainer, lambda _: None, repaired.take_verdict)
        better = {}
        for key, repair_key in repair_keys.items():
            second = repaired.found.get(repair_key)
            if second is not None and second.is_answer:
                verdicts.found[key], better[key] = second, repair_key
                del verdicts.useless[key]
        await self._asker.replace(better)

    def _tell_of_unusable(self, verdicts: Verdicts) -> None:
        found = UnusableAnswers()
        for key, reply in verdicts.useless.items():
            found.add(reply, verdicts.prompts[key])
            self.unusable.add(reply, verdicts.prompts[key])
        if found:
            self._emit(Notice(f"texts without a usable answer: {found.problem}"))

    def _judge_verdicts(self, verdicts: Verdicts, *, task: Task, prior: Sequence[float] | np.ndarray | None) -> None:
        """Have this annotator's verdicts judged where replies hold scores, or written ones give probabilities."""
        names = task.names
        judge_stated(verdicts.found, names=names, prior=prior, calibrated=self._calibration != "none")
        if not verdicts.scores:
            return
        import numpy as np

        place = {name: position for position, name in enumerate(names)}
        scores = np.full((len(verdicts.scores), len(names)), np.nan)
        for position, (key, found) in enumerate(verdicts.scores.items()):
            scores[position, [place[label] for label in verdicts.prompts[key].labels]] = found
        shares = None if prior is None else np.asarray(prior, dtype=np.float64)
        scored = [verdicts.found[key] for key in verdicts.scores]
        judge_scores(scored, scores, task=task, prior=shares, calibrated=self._calibration != "none")

    def _progress_of_keys(
        self, stage: Stage, round_number: int, again: collections.Counter[str], *, done: int, total: int
    ) -> Callable[[Sequence[str]], None]:
        """Tells of keys that are done; `again` counts the further requests that have the same key as an earlier one."""
        told, told_at = -1, time.monotonic()
        step = max(1, total // _PROGRESS_REPORTS)

        def report(keys: Sequence[str]) -> None:
            nonlocal done, told, told_at
            done += sum(1 + again[key] for key in keys)
            now = time.monotonic()
            if told < 0 or done - told >= step or done == total or now - told_at >= _REPORT_SECONDS:
                told, told_at = done, now
                self._emit(Progress(stage, round_number, done, total))
                self._asker.report_spend()

        return report
