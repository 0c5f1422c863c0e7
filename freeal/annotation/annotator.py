"""Texts to annotations through a language model (FreeAL section 3.2; DESIGN.md 4, step 2)."""

from __future__ import annotations

import collections
import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from freeal.annotation.prompts import label_prompt, repair_prompt, writing_prompt
from freeal.annotation.question_form import PLAIN, QuestionForm, form_of
from freeal.annotation.reply_parser import read_texts
from freeal.annotation.send_prompts import Asker
from freeal.annotation.send_prompts_state import Asked, WrittenPrompts
from freeal.annotation.unusable_answers import UnusableAnswers
from freeal.annotation.verdict import Verdict, annotation_of, judge_scores, judge_stated, verdict_of
from freeal.events import Emit, Notice, Progress, Stage
from freeal.llm.protocols import BatchSender, ChatModel
from freeal.llm.store.answer_store import AnswerStore, request_key
from freeal.money.budget_ledger import Ledger
from freeal.text import joined_labels, long_text_shortening
from freeal.text.repeated_text import new_texts, normal
from freeal.types import Annotation, Demonstration, Prompt, Reply, Task

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
            return self._prompt(request, task, shared, open_labels=open_labels, ranked=ranked, form=form)

        keys: list[str] = []  # "" where there is nothing to ask
        by_key = WrittenPrompts(written)
        for request in requests:
            keys.append("")
            if request.text.strip():
                prompt = written(request)
                keys[-1] = request_key(prompt, self._model.fingerprint)
                by_key.add(keys[-1], request if request.own else prompt)
        report = self._progress(
            stage,
            round_number,
            collections.Counter(filter(None, keys)),
            done=done_before + keys.count(""),
            total=total or len(requests),
        )
        asked = await self._asker.ask(by_key, report)
        self._ever_answered = self._ever_answered or bool(asked.replies)
        if asked.budget_error is not None and not self._ever_answered and round_number == 1:
            raise asked.budget_error  # later rounds fall back on the answers of those before; the first has nothing
        verdicts = await self._verdicts(asked, by_key)
        self._judge_scores(verdicts, asked, by_key, task=task, prior=prior)
        return [
            annotation_of(verdicts.get(key), index=request.index, text=request.text, round_number=round_number)
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
            texts = new_texts([] if reply is None else read_texts(reply), seen)[:per_label]
            if not texts:
                self._emit(Notice(f"the model wrote no example for the label {name!r}"))
            written += [Demonstration(text, name, "generated") for text in texts]
        return written

    def _prompt(
        self,
        request: LabelRequest,
        task: Task,
        shared: Sequence[Demonstration],
        *,
        open_labels: bool,
        ranked: bool,
        form: QuestionForm,
    ) -> Prompt:
        shown = long_text_shortening.fitted(request.text, shared=shared, own=request.own)
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

    async def _verdicts(self, asked: Asked, prompts: Mapping[str, Prompt]) -> dict[str, Verdict]:
        """What each key comes to. A written reply that answers is let go once it is read: nobody asks for it again."""
        verdicts = {key: Verdict(None, 0.0, status) for key, status in asked.failures.items()}
        for key in list(asked.replies):
            verdict = verdict_of(asked.replies[key], prompts[key], from_store=key in asked.from_store)
            verdicts[key] = verdict
            if verdict.is_answer:
                del asked.replies[key]
        unusable = {key: repair_prompt(prompts[key]) for key, verdict in verdicts.items() if verdict.repairable}
        repair_keys = {key: request_key(prompt, self._model.fingerprint) for key, prompt in unusable.items()}
        if unusable:
            await self._repair(verdicts, unusable, repair_keys, prompts)
        useless = {key for key, verdict in verdicts.items() if not verdict.is_answer and key in asked.replies}
        self._tell_of({key: asked.replies[key] for key in useless if asked.replies[key].scores is None}, prompts)
        return verdicts

    def _tell_of(self, useless: Mapping[str, Reply], prompts: Mapping[str, Prompt]) -> None:
        found = UnusableAnswers()
        for key, reply in useless.items():
            found.add(reply, prompts[key])
            self.unusable.add(reply, prompts[key])
        if found:
            self._emit(Notice(f"texts without a usable answer: {found.problem}"))

    async def _repair(
        self,
        verdicts: dict[str, Verdict],
        unusable: Mapping[str, Prompt],
        repair_keys: Mapping[str, str],
        prompts: Mapping[str, Prompt],
    ) -> None:
        """Ask once more, plainly, where an answer named no label."""
        repaired = await self._asker.ask({repair_keys[key]: prompt for key, prompt in unusable.items()}, lambda _: None)
        better = {}
        for key, repair_key in repair_keys.items():
            again = repaired.replies.get(repair_key)
            if again is not None:
                second = verdict_of(again, prompts[key], from_store=repair_key in repaired.from_store)
                if second.is_answer:
                    verdicts[key], better[key] = second, again
        await self._asker.replace(better)

    def _judge_scores(
        self,
        verdicts: dict[str, Verdict],
        asked: Asked,
        prompts: Mapping[str, Prompt],
        *,
        task: Task,
        prior: Sequence[float] | np.ndarray | None,
    ) -> None:
        """Have this annotator's verdicts judged where replies hold scores, or written ones give probabilities."""
        names = task.names
        judge_stated(verdicts, names=names, prior=prior, calibrated=self._calibration != "none")
        scored = {key: reply.scores for key, reply in asked.replies.items() if reply.scores is not None}
        if not scored:
            return
        import numpy as np

        place = {name: position for position, name in enumerate(names)}
        scores = np.full((len(scored), len(names)), np.nan)
        for position, (key, found) in enumerate(scored.items()):
            scores[position, [place[label] for label in prompts[key].labels]] = found
        shares = None if prior is None else np.asarray(prior, dtype=np.float64)
        judge_scores(
            [verdicts[key] for key in scored], scores, task=task, prior=shares, calibrated=self._calibration != "none"
        )

    def _progress(
        self, stage: Stage, round_number: int, requests_per_key: collections.Counter[str], *, done: int, total: int
    ) -> Callable[[Sequence[str]], None]:
        told, told_at = -1, time.monotonic()
        step = max(1, total // _PROGRESS_REPORTS)

        def report(keys: Sequence[str]) -> None:
            nonlocal done, told, told_at
            done += sum(requests_per_key.pop(key, 0) for key in keys)  # what was cut off in a batch is told of twice
            now = time.monotonic()
            if told < 0 or done - told >= step or done == total or now - told_at >= _REPORT_SECONDS:
                told, told_at = done, now
                self._emit(Progress(stage, round_number, done, total))
                self._asker.report_spend()

        return report
