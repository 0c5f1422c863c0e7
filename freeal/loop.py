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

from freeal import ensemble
from freeal.annotate import Annotator, LabelRequest
from freeal.errors import TrainingError
from freeal.events import Emit, Notice, Progress, RoundFinished
from freeal.initial import InitialDemonstrations, starting_demonstrations
from freeal.metrics import Evaluation, round_metrics
from freeal.pool import Pool
from freeal.selection import demonstrations as choose
from freeal.selection import learnability, retrieve
from freeal.settings import LoopSettings
from freeal.state import RoundState, RoundStore
from freeal.stopping import best_round, settled
from freeal.student.base import NO_LABEL, Trainer, Training
from freeal.types import Annotation, Demonstration, Status, Task

_FREE_SETS = 3
"""Sets of demonstrations each text is asked with where asking costs nothing."""


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

    async def run(self, user_demonstrations: Sequence[Demonstration]) -> LoopResult:
        """Run the rounds. Raises `LlmError` when the language model is out of reach and `TrainingError` when it gave no
        usable answer at all; a reached budget is no error: the result holds what was paid for."""
        initial = await starting_demonstrations(
            self.task,
            self.pool.texts,
            user_demonstrations,
            annotator=self.annotator,
            trainer=self.trainer,
            settings=self.settings,
            seed=self.seed,
        )
        rounds: list[RoundState] = []
        budget_reached = False
        while len(rounds) < self.settings.iterations and not budget_reached:
            state = self.store.load(len(rounds) + 1) or await self._round(initial, rounds)
            if state is None:
                break
            rounds.append(state)
            self.emit(RoundFinished(state.round, state.metrics))
            budget_reached = any(Status.BUDGET in note.statuses for note in state.asked)
        return LoopResult(tuple(rounds), best_round(rounds), initial.annotations, budget_reached)

    async def _round(self, initial: InitialDemonstrations, rounds: Sequence[RoundState]) -> RoundState | None:
        """Annotate, train, select and save the next round; None when asking again changed too little to train on."""
        number = len(rounds) + 1
        started, spent_before_usd = time.monotonic(), self.annotator.ledger.usd
        previous = rounds[-1] if rounds else None
        candidates = previous.representatives if previous else initial.demonstrations
        asked = await self._annotate(number, candidates, initial=initial, previous=previous)
        known = previous.annotations if previous else initial.annotations
        annotations = ensemble.merge(known, asked, labels=self.task.names, pool_size=len(self.pool))
        changed = _changed(known, annotations)
        if previous and settled(changed, len(self.pool), stop_changed_share=self.settings.stop_changed_share):
            self.emit(Notice(f"settled: round {number} changed {changed} of {len(self.pool)} labels"))
            return None
        training = await self._train(number, annotations)
        state = self._finish(number, asked=asked, annotations=annotations, shown=candidates, training=training)
        state.metrics.update(
            changed=changed,
            seconds=round(time.monotonic() - started, 3),
            usd=round(self.annotator.ledger.usd - spent_before_usd, 6),
        )
        self.store.save(state, training)
        return state

    async def _annotate(
        self,
        number: int,
        candidates: Sequence[Demonstration],
        *,
        initial: InitialDemonstrations,
        previous: RoundState | None,
    ) -> list[Annotation]:
        """This round's annotations: of every text in the first round, later of those that are not clean."""
        if previous is None:
            answers = await self._annotate_with_sets(number, range(len(self.pool)), candidates, prior=None)
            return self._pooled(self._weighted([initial.annotations, *answers])[1:])
        unclean = [index for index in range(len(self.pool)) if not self._is_clean(previous, index)]
        if not unclean:
            return []
        prior = previous.proba[unclean].mean(axis=0)
        if self._retrieval == "shared" or not candidates:
            return self._pooled(await self._annotate_with_sets(number, unclean, candidates, prior=prior))
        own = self._nearest(unclean, candidates, previous.embeddings)
        requests = [
            LabelRequest(index, self.pool.texts[index], demos) for index, demos in zip(unclean, own, strict=True)
        ]
        return await self.annotator.annotate(requests, task=self.task, round_number=number, prior=prior)

    async def _annotate_with_sets(
        self, number: int, indices: Sequence[int], candidates: Sequence[Demonstration], *, prior: np.ndarray | None
    ) -> list[list[Annotation]]:
        """Ask about each text with every set of demonstrations, except those it is a demonstration of."""
        answers = []
        for shown in self._demonstration_sets(candidates):
            inside = {demo.index for demo in shown}
            requests = [LabelRequest(index, self.pool.texts[index]) for index in indices if index not in inside]
            answers.append(
                await self.annotator.annotate(requests, task=self.task, shared=shown, round_number=number, prior=prior)
            )
        return answers

    def _weighted(self, answers: Sequence[Sequence[Annotation]]) -> list[list[Annotation]]:
        """Answers of the whole pool, zero-shot ones first, each weighed by how well it can be told from the texts."""
        if not answers[0] or len(answers) == 1:
            return [list(notes) for notes in answers]
        ids = []
        for notes in answers:
            ids.append(np.full(len(self.pool), NO_LABEL))
            for note in notes:
                ids[-1][note.index] = NO_LABEL if note.label is None else self.task.names.index(note.label)
        embeddings = self.trainer.embed(self.pool.texts)
        weights = learnability.weights(embeddings, ids, labels=len(self.task.names), seed=self.seed)
        return [
            [dataclasses.replace(note, weight=weight) for note in notes]
            for notes, weight in zip(answers, weights, strict=True)
        ]

    def _pooled(self, answers: Sequence[Sequence[Annotation]]) -> list[Annotation]:
        """One annotation per text that was asked, in pool order."""
        by_index: dict[int, list[Annotation]] = {}
        for notes in answers:
            for note in notes:
                by_index.setdefault(note.index, []).append(note)
        return [ensemble.pool(by_index[index], self.task.names) for index in sorted(by_index)]

    def _demonstration_sets(self, candidates: Sequence[Demonstration]) -> list[tuple[Demonstration, ...]]:
        """The sets every text is shown; one empty set when there are no candidates."""
        if not candidates:
            return [()]
        count = self.settings.demonstration_sets or (_FREE_SETS if self.annotator.free else 1)
        label_ids = np.array([self.task.names.index(demo.label) for demo in candidates], dtype=int)
        drawn = (
            retrieve.shared(label_ids, shots=self.settings.shots, seed=self.seed + number) for number in range(count)
        )
        return list(dict.fromkeys(tuple(candidates[position] for position in chosen) for chosen in drawn))

    def _nearest(
        self, indices: Sequence[int], candidates: Sequence[Demonstration], embeddings: np.ndarray
    ) -> list[tuple[Demonstration, ...]]:
        """The closest candidates of each text, balanced over the labels."""
        place = {demo.index: position for position, demo in enumerate(candidates) if demo.index is not None}
        rows = retrieve.nearest(
            embeddings[list(indices)],
            embeddings[list(place)],
            np.array([self.task.names.index(demo.label) for demo in candidates], dtype=int),
            shots=self.settings.shots,
            exclude=[place.get(index, -1) for index in indices],
        )
        return [tuple(candidates[position] for position in row) for row in rows]

    @property
    def _retrieval(self) -> str:
        if self.settings.retrieval != "auto":
            return self.settings.retrieval
        return "nearest" if self.annotator.writes else "shared"

    def _is_clean(self, state: RoundState, index: int) -> bool:
        trusted = float(state.clean_probability[index]) > self.settings.clean_threshold
        return trusted and state.annotations[index].label is not None

    async def _train(self, number: int, annotations: Sequence[Annotation]) -> Training:
        label_ids = self._label_ids(annotations)
        if all(label_id == NO_LABEL for label_id in label_ids):
            reasons = Counter(str(status) for note in annotations for status in note.statuses)
            raise TrainingError(
                f"the language model gave no usable answer for any of {len(annotations)} texts, mostly "
                f"{reasons.most_common(1)[0][0]}",
                hint="look at the labels and the description of the spec, and at the model's name",
            )

        def on_step(done: int, total: int) -> None:
            anyio.from_thread.check_cancelled()  # a stop ends the training here; the round is done again
            self.emit(Progress("training", number, done, total, "steps"))

        return await anyio.to_thread.run_sync(
            lambda: self.trainer.fit(
                self.pool.texts, label_ids, labels=self.task.names, seed=self.seed + number, on_step=on_step
            )
        )

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
    ) -> RoundState:
        label_ids = np.array(self._label_ids(annotations))
        agree = (training.proba.argmax(axis=1) == label_ids) & (label_ids != NO_LABEL)
        chosen = choose.representatives(
            training.embeddings,
            label_ids,
            agree,
            training.clean_probability,
            per_class=self.settings.demos_per_class,
            top_share=self.settings.top_share,
            seed=self.seed + number,
        )
        names = self.task.names
        metrics: dict[str, Any] = round_metrics(
            number,
            asked=asked,
            annotations=annotations,
            training=training,
            labels=names,
            clean_threshold=self.settings.clean_threshold,
            evaluation=self.evaluation,
        )
        return RoundState(
            round=number,
            asked=tuple(asked),
            annotations=tuple(annotations),
            demonstrations=tuple(shown),
            representatives=tuple(
                Demonstration(self.pool.texts[index], names[label_ids[index]], "student", index) for index in chosen
            ),
            clean_probability=training.clean_probability,
            proba=training.proba,
            embeddings=training.embeddings,
            losses=training.losses,
            metrics=metrics,
        )


def _changed(before: Sequence[Annotation], after: Sequence[Annotation]) -> int:
    """How many labels differ; all of them when there was nothing before."""
    if not before:
        return len(after)
    return sum(old.label != new.label for old, new in zip(before, after, strict=True))
