"""The FreeAL loop (Xiao et al., EMNLP 2023, Algorithm 1): annotate, train, select, ask again, until nothing changes.

    demonstrations -> annotate -> train -> select -> demonstrations -> annotate what is not clean -> ...

The loop knows protocols only. It is resumable at every finished round and never looks at ground truth, except to report
how good a round was when the user gave labels to compare with.
"""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread
import numpy as np

from freeal.aggregation import answer_ensemble
from freeal.aggregation.candidate_labels import candidates_of
from freeal.aggregation.label_posterior import Evidence, LabelPosterior, evidence_of
from freeal.annotation.annotator import Annotator
from freeal.annotation.first_demonstrations import InitialDemonstrations, starting_demonstrations
from freeal.annotation.round_annotation import Questions
from freeal.compute.device_turn import DeviceTurn, always
from freeal.errors import TrainingError
from freeal.evaluation.metrics import Evaluation, round_metrics
from freeal.events import Emit, Notice, Progress, RoundFinished
from freeal.loop import settled_round
from freeal.loop.known_labels import Known
from freeal.loop.round_state import RoundState
from freeal.loop.round_store import RoundStore
from freeal.loop.stopping_criteria import best_round, settled
from freeal.pool.text_pool import Pool
from freeal.selection import demonstration_selection as choose
from freeal.selection import query_selection
from freeal.settings import LoopSettings
from freeal.student.protocols import NO_LABEL, LabelledTexts, Trainer, Training
from freeal.types import Annotation, Demonstration, Status, Task


@dataclasses.dataclass(frozen=True, slots=True)
class LoopResult:
    """All finished rounds, the one that is kept, and the answers given before the first (empty unless asked for)."""

    rounds: tuple[RoundState, ...]
    best: RoundState
    zero_shot: tuple[Annotation, ...]
    budget_reached: bool


@dataclasses.dataclass(frozen=True)
class Loop:
    """The parts of one job. After a crash `run` may be called again with the same parts: it goes on where it was."""

    task: Task
    pool: Pool
    annotator: Annotator
    trainer: Trainer
    settings: LoopSettings
    store: RoundStore
    evaluation: Evaluation
    seed: int
    emit: Emit
    known: Known = dataclasses.field(default_factory=Known)
    turn: DeviceTurn = always
    _found_nearness: list[np.ndarray] = dataclasses.field(default_factory=list, init=False, repr=False)

    @property
    def questions(self) -> Questions:
        """What asks the language model."""
        return Questions(self.task, self.pool, self.annotator, self.trainer, self.settings, self.seed, self.turn)

    async def run(self, user_demonstrations: Sequence[Demonstration]) -> LoopResult:
        """Run the rounds. Raises `LlmError` when the language model is out of reach and `TrainingError` when it gave no
        usable answer at all; a reached budget is no error: the result holds what was paid for.

        Where an earlier version's answers are known, the first round trains on them and asks what is open, if anything.
        """
        if self.known.annotations:
            indices = sorted(self.known.open_texts)
            initial = InitialDemonstrations(tuple(self.known.demonstrations))
        else:
            indices = await self._to_ask(None)
            initial = await starting_demonstrations(
                self.questions, user_demonstrations, indices=indices, taught=self.known.taught
            )
        rounds: list[RoundState] = []
        budget_reached = False
        while len(rounds) < self.settings.iterations and not budget_reached:
            state = self.store.load(len(rounds) + 1) or await self._round(initial, rounds, indices)
            if state is None:
                break
            rounds.append(state)
            self.emit(RoundFinished(state.round, state.metrics))
            budget_reached = state.cut_off
            if state.settled:
                break
        return LoopResult(tuple(rounds), best_round(rounds), initial.annotations, budget_reached)

    async def _round(
        self, initial: InitialDemonstrations, rounds: Sequence[RoundState], indices: Sequence[int]
    ) -> RoundState | None:
        """Annotate, train, select and save the next round; None when there was nothing to ask and nothing to train on.

        Where asking again changed too little to train on, the round keeps its answers and the student before it.
        """
        number = len(rounds) + 1
        started, ledger = time.monotonic(), self.annotator.ledger
        spent_before_usd, used_before = ledger.usd, ledger.usage
        previous = rounds[-1] if rounds else None
        chosen_by_student = previous is not None and self.settings.demonstrations == "student"
        candidates = previous.representatives if previous and chosen_by_student else initial.demonstrations
        if previous is not None:
            answers = await self.questions.again(
                number,
                await self._to_ask(previous),
                candidates,
                proba=previous.posterior,
                embeddings=previous.embeddings,
            )
        else:
            zero_shot = initial.annotations
            answers = await self.questions.first(indices, candidates, zero_shot=zero_shot) if indices else []
        before = previous.annotations if previous else self.known.annotations
        annotations = self._merged(before, answers)
        changed = _changed(before or self._merged(initial.annotations, ()), annotations)
        if previous and settled(changed, len(self.pool), stop_changed_share=self.settings.stop_changed_share):
            self.emit(Notice(f"settled: round {number} changed {changed} of {len(self.pool)} labels"))
            if not answers:
                return None
            training = None
            evidence = await self._evidence(annotations)
            state = settled_round.state(
                previous,
                asked=answers,
                annotations=annotations,
                shown=candidates,
                posterior=evidence.posterior(previous.held_out),
                labels=self.task.names,
                clean_threshold=self.settings.clean_threshold,
                evaluation=self.evaluation,
                kind=self.task.kind,
            )
        else:
            training, posterior = await self._train(number, annotations)
            state = self._finish(
                number, asked=answers, annotations=annotations, shown=candidates, training=training, posterior=posterior
            )
        state.metrics.update(
            changed=changed,
            seconds=round(time.monotonic() - started, 3),
            usd=round(ledger.usd - spent_before_usd, 6),
            input_tokens=ledger.usage.input_tokens - used_before.input_tokens,
            output_tokens=ledger.usage.output_tokens - used_before.output_tokens,
        )
        state = dataclasses.replace(state, cut_off=self.annotator.budget_reached)
        self.store.save(state, None if training is None else training.student)
        return state

    async def _to_ask(self, previous: RoundState | None) -> list[int]:
        """Pool indices of this round: everything at first, later what is not clean; a share of it where one is set."""
        count = max(1, round(self.settings.annotate_share * len(self.pool)))
        if previous is None:
            open_texts = [index for index in range(len(self.pool)) if index not in self.known.confirmed]
            if count >= len(open_texts):
                return open_texts
            vectors = await self.questions.embed([self.pool.texts[index] for index in open_texts])
            return [open_texts[row] for row in query_selection.spread(vectors, count, seed=self.seed)]
        unclean = [
            index
            for index in range(len(self.pool))
            if index not in self.known.confirmed and not self._is_clean(previous, index)
        ]
        return unclean if len(unclean) <= count else query_selection.most_open(previous.posterior, unclean, count)

    def _merged(self, known: Sequence[Annotation], answers: Sequence[Annotation]) -> list[Annotation]:
        unasked = {index: Annotation(index, None, 0.0, (Status.NOT_ASKED,), 0) for index in range(len(self.pool))}
        before = list((unasked | {note.index: note for note in known}).values())
        merged = answer_ensemble.merge(before, answers, labels=self.task.names, pool_size=len(self.pool))
        return self.known.settle(merged, self.task.names)

    def _is_clean(self, state: RoundState, index: int) -> bool:
        trusted = float(state.clean_probability[index]) > self.settings.clean_threshold
        return trusted and state.annotations[index].label is not None

    async def _train(self, number: int, annotations: Sequence[Annotation]) -> tuple[Training, LabelPosterior]:
        label_ids = self._label_ids(annotations)
        if all(label_id == NO_LABEL for label_id in label_ids):
            why = self.annotator.unusable
            reasons = Counter(str(status) for note in annotations for status in note.statuses)
            raise TrainingError(
                f"the language model gave no usable answer for any of {len(annotations)} texts: "
                f"{why.problem or 'mostly ' + reasons.most_common(1)[0][0]}",
                hint=why.hint,
            )

        def on_step(done: int, total: int) -> None:
            anyio.from_thread.check_cancelled()  # a stop ends the training here; the round is done again
            self.emit(Progress("training", number, done, total, "steps"))

        evidence = await self._evidence(annotations)
        data = LabelledTexts(
            self.pool.texts,
            label_ids,
            candidates=evidence.candidates,
            paraphrases=self.pool.paraphrases,
            confirmed=self.known.mask(len(self.pool)),
            groups=None if self.pool.groups is None else np.array(self.pool.groups),
            weigh=evidence.targets,
        )
        training = await self.questions.on_device(
            lambda: self.trainer.fit(data, labels=self.task.names, seed=self.seed + number, on_step=on_step)
        )
        return training, evidence.posterior(training.held_out)

    async def _evidence(self, annotations: Sequence[Annotation]) -> Evidence:
        resolves = self.settings.candidates == "resolve"
        return evidence_of(
            annotations,
            self.task.names,
            nearness=await self._nearness(annotations),
            candidates=candidates_of(annotations, self.task.names) if resolves else None,
        )

    async def _nearness(self, annotations: Sequence[Annotation]) -> np.ndarray | None:
        """The labels' meanings as a voice, the same in every round; answers with probabilities have it in them."""
        if self.settings.label_meanings == "off" or any(note.distribution for note in annotations if _asked(note)):
            return None
        if not self._found_nearness:
            self._found_nearness.append(await self.questions.nearness(range(len(self.pool))))
        return self._found_nearness[0]

    def _label_ids(self, annotations: Sequence[Annotation]) -> list[int]:
        names = self.task.names
        return [NO_LABEL if note.label is None else names.index(note.label) for note in annotations]

    def _finish(
        self,
        number: int,
        *,
        asked: Sequence[Annotation],
        annotations: Sequence[Annotation],
        shown: Sequence[Demonstration],
        training: Training,
        posterior: LabelPosterior,
    ) -> RoundState:
        label_ids = np.array(self._label_ids(annotations))
        clean_probability = posterior.of(label_ids)
        agree = (training.proba.argmax(axis=1) == label_ids) & (label_ids != NO_LABEL)
        agree[list(self.pool.held_out)] = False
        chosen = choose.representatives(
            training.embeddings,
            label_ids,
            agree,
            clean_probability,
            per_class=self.settings.demos_per_class,
            top_share=self.settings.top_share,
            seed=self.seed + number,
        )
        names = self.task.names
        metrics: dict[str, Any] = round_metrics(
            number,
            asked=asked,
            annotations=annotations,
            proba=training.proba,
            clean_probability=clean_probability,
            labels=names,
            clean_threshold=self.settings.clean_threshold,
            evaluation=self.evaluation,
            kind=self.task.kind,
        )
        return RoundState(
            round=number,
            asked=tuple(asked),
            annotations=tuple(annotations),
            demonstrations=tuple(shown),
            representatives=tuple(
                Demonstration(self.pool.texts[index], names[label_ids[index]], "student", index) for index in chosen
            ),
            held_out=training.held_out,
            posterior=posterior.proba.astype(np.float32),
            clean_probability=clean_probability,
            proba=training.proba,
            embeddings=training.embeddings,
            losses=training.losses,
            metrics=metrics,
        )


def _asked(note: Annotation) -> bool:
    return Status.CORRECTED not in note.statuses


def _changed(before: Sequence[Annotation], after: Sequence[Annotation]) -> int:
    return sum(old.label != new.label for old, new in zip(before, after, strict=True))
