"""One round's questions to the language model: which demonstrations each text is shown, and several answers as one."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import TypeVar

import anyio.to_thread
import numpy as np

from freeal.aggregation import answer_ensemble, label_similarity, learnability
from freeal.aggregation.label_membership import class_ids
from freeal.annotation.annotator import Annotator, LabelRequest
from freeal.annotation.question_form import PLAIN, QuestionForm
from freeal.compute.device_turn import DeviceTurn, always
from freeal.pool.text_pool import Pool
from freeal.selection import demonstration_retrieval, label_shortlist
from freeal.settings import LoopSettings
from freeal.student.protocols import NO_LABEL, Trainer
from freeal.types import Annotation, Demonstration, Task

Shortlist = tuple[str, ...] | None
T = TypeVar("T")

FREE_SETS = 3
"""Sets of demonstrations each text is asked with where asking costs nothing."""


@dataclasses.dataclass(frozen=True)
class Questions:
    """Asks about texts of one pool."""

    task: Task
    pool: Pool
    annotator: Annotator
    trainer: Trainer
    settings: LoopSettings
    seed: int
    turn: DeviceTurn = always
    form: QuestionForm = PLAIN

    async def on_device(self, work: Callable[[], T]) -> T:
        """The result of `work`, done in a thread while it is our turn on the device."""
        async with self.turn():
            return await anyio.to_thread.run_sync(work)

    async def embed(self, texts: Sequence[str]) -> np.ndarray:
        """The untrained encoder's embeddings, unit length, float32 [n, d]."""
        return await self.on_device(lambda: self.trainer.embed(texts))

    async def zero_shot(self, indices: Sequence[int]) -> list[Annotation]:
        """Before the first round: no demonstrations at all."""
        return await self._annotate_with_own_demonstrations(
            0, indices, [()] * len(indices), await self.shortlists(indices, None), prior=None
        )

    async def ask_first_round(
        self, indices: Sequence[int], candidates: Sequence[Demonstration], *, zero_shot: Sequence[Annotation]
    ) -> list[Annotation]:
        """Round 1, before there is a student: every text with the same demonstrations, unless there are so many labels
        that a set could not show them.

        Each set's answers are weighed beside the `zero_shot` ones (of the same texts, or none), and pooled with them.
        """
        shortlists = await self.shortlists(indices, None)
        if self._many_labels and candidates:
            rows = await self.embed([self.pool.texts[index] for index in indices])
            own = self._nearest_demonstrations(
                indices, candidates, rows, None, await self.embed([demo.text for demo in candidates])
            )
            answers = [await self._annotate_with_own_demonstrations(1, indices, own, shortlists, prior=None)]
        else:
            answers = await self._annotate_with_demonstration_sets(1, indices, candidates, shortlists, prior=None)
        return await self.with_meanings(
            self._pooled_answers(await self._answers_weighed_by_learnability([zero_shot, *answers], indices))
        )

    async def ask_later_round(
        self,
        number: int,
        indices: Sequence[int],
        candidates: Sequence[Demonstration],
        *,
        proba: np.ndarray,
        embeddings: np.ndarray,
    ) -> list[Annotation]:
        """A later round, with the student's probabilities [n, labels] and embeddings [n, d] of the pool."""
        if not indices:
            return []
        prior = proba[list(indices)].mean(axis=0)
        shortlists = await self.shortlists(indices, proba[list(indices)])
        if self._retrieval == "shared" or not candidates:
            answers = await self._annotate_with_demonstration_sets(number, indices, candidates, shortlists, prior=prior)
            return await self.with_meanings(self._pooled_answers(answers))
        own = self._nearest_demonstrations(
            indices, candidates, *await self._vectors_of_texts_and_candidates(indices, candidates, embeddings)
        )
        return await self.with_meanings(
            await self._annotate_with_own_demonstrations(number, indices, own, shortlists, prior=prior)
        )

    async def with_meanings(self, notes: Sequence[Annotation]) -> list[Annotation]:
        """A small model's answers joined with the nearness of each text to the labels' meanings."""
        scored = any(note.distribution for note in notes)
        if self.settings.label_meanings == "off" or self.annotator.writes or not scored or self._is_multi:
            return list(notes)
        near = await self.nearness([note.index for note in notes])
        weight = await self.on_device(lambda: label_similarity.nearness_weight(self.task.labels, self.trainer.embed))
        return label_similarity.joined_with_nearness(notes, near, self.task.names, weight=weight)

    async def nearness(self, indices: Sequence[int]) -> np.ndarray:
        """Probabilities [len(indices), labels] by the labels' meanings alone."""
        texts = [self.pool.texts[index] for index in indices]
        return await self.on_device(
            lambda: label_similarity.nearness_to_labels(texts, self.task.labels, self.trainer.embed)
        )

    async def shortlists(self, indices: Sequence[int], proba: np.ndarray | None) -> list[Shortlist]:
        """The labels each text is asked about: None, all of them, unless there are many.

        `proba` [len(indices), labels] is what the student says, once there is one.
        """
        if not self._many_labels:
            return [None] * len(indices)
        rows = await self.embed([self.pool.texts[index] for index in indices])
        meanings = await self.embed([label_shortlist.label_text(label) for label in self.task.labels])
        found = label_shortlist.nearest_labels(rows, meanings, count=label_shortlist.SHORTLIST_LABELS, proba=proba)
        return [tuple(self.task.names[label] for label in row) for row in found]

    async def _annotate_with_own_demonstrations(
        self,
        number: int,
        indices: Sequence[int],
        own: Sequence[tuple[Demonstration, ...]],
        shortlists: Sequence[Shortlist],
        *,
        prior: np.ndarray | None,
    ) -> list[Annotation]:
        """Ask about each text with demonstrations of its own."""
        requests = [
            LabelRequest(index, self.pool.texts[index], demos, labels)
            for index, demos, labels in zip(indices, own, shortlists, strict=True)
        ]
        return await self._annotate_in_round(requests, (), number, prior=prior)

    async def _annotate_with_demonstration_sets(
        self,
        number: int,
        indices: Sequence[int],
        candidates: Sequence[Demonstration],
        shortlists: Sequence[Shortlist],
        *,
        prior: np.ndarray | None,
    ) -> list[list[Annotation]]:
        """Ask about each text with every set of demonstrations, except those it is a demonstration of."""
        sets = self._demonstration_sets(candidates)
        inside = [{self.pool.group(demo.index) for demo in shown if demo.index is not None} for shown in sets]
        total = sum(self.pool.group(index) not in groups for groups in inside for index in indices)
        answers: list[list[Annotation]] = []
        for shown, groups in zip(sets, inside, strict=True):
            requests = [
                LabelRequest(index, self.pool.texts[index], labels=labels)
                for index, labels in zip(indices, shortlists, strict=True)
                if self.pool.group(index) not in groups
            ]
            before = sum(map(len, answers))
            answers.append(
                await self._annotate_in_round(requests, shown, number, prior=prior, done_before=before, total=total)
            )
        return answers

    async def _annotate_in_round(
        self,
        requests: Sequence[LabelRequest],
        shared: Sequence[Demonstration],
        number: int,
        *,
        prior: np.ndarray | None,
        done_before: int = 0,
        total: int | None = None,
    ) -> list[Annotation]:
        return await self.annotator.annotate(
            requests,
            task=self.task,
            shared=shared,
            round_number=number,
            prior=prior,
            open_labels=self.settings.candidates == "resolve",
            ranked=self.settings.candidates == "ranked",
            form=self.form,
            done_before=done_before,
            total=total,
        )

    async def _answers_weighed_by_learnability(
        self, answers: Sequence[Sequence[Annotation]], indices: Sequence[int]
    ) -> list[list[Annotation]]:
        """Answers to the same texts, zero-shot ones first, each weighed by how well it can be told from the texts."""
        if not answers[0] or len(answers) == 1 or self._is_multi:
            return [list(notes) for notes in answers]
        place = {index: position for position, index in enumerate(indices)}
        ids = []
        for notes in answers:
            ids.append(np.full(len(indices), NO_LABEL))
            for note in notes:
                ids[-1][place[note.index]] = NO_LABEL if note.label is None else self.task.names.index(note.label)
        embeddings = await self.embed([self.pool.texts[index] for index in indices])
        groups = None if self.pool.groups is None else np.array(self.pool.groups)[list(indices)]
        # cross-validation takes seconds: in a thread, so that a stop is heard meanwhile
        weigh = functools.partial(
            learnability.weights_by_learnability, labels=len(self.task.names), seed=self.seed, groups=groups
        )
        weights = await anyio.to_thread.run_sync(weigh, embeddings, ids)
        return [
            [dataclasses.replace(note, weight=weight) for note in notes]
            for notes, weight in zip(answers, weights, strict=True)
        ]

    def _pooled_answers(self, answers: Sequence[Sequence[Annotation]]) -> list[Annotation]:
        """One annotation per text that was asked, in pool order."""
        by_index: dict[int, list[Annotation]] = {}
        for notes in answers:
            for note in notes:
                by_index.setdefault(note.index, []).append(note)
        return [
            answer_ensemble.pool_answers(by_index[index], self.task.names, self.task.kind) for index in sorted(by_index)
        ]

    def _demonstration_sets(self, candidates: Sequence[Demonstration]) -> list[tuple[Demonstration, ...]]:
        """The sets every text is shown; one empty set when there are no candidates."""
        if not candidates:
            return [()]
        count = self.settings.demonstration_sets or (FREE_SETS if self.annotator.free else 1)
        label_ids = self._classes(candidates)
        drawn = (
            demonstration_retrieval.shared_demonstrations(label_ids, shots=self.settings.shots, seed=self.seed + number)
            for number in range(count)
        )
        return list(dict.fromkeys(tuple(candidates[position] for position in chosen) for chosen in drawn))

    def _nearest_demonstrations(
        self,
        indices: Sequence[int],
        candidates: Sequence[Demonstration],
        vectors: np.ndarray,
        rows: np.ndarray | None,
        shown: np.ndarray,
    ) -> list[tuple[Demonstration, ...]]:
        """The closest candidates of each text, balanced over the labels. The texts' embeddings are `vectors`, or those
        at `rows` among them; `shown` are the candidates'."""
        chosen = demonstration_retrieval.nearest_demonstrations(
            vectors,
            shown,
            self._classes(candidates),
            shots=self.settings.shots,
            exclude=[self.pool.group(index) for index in indices],
            groups=np.array([-1 if demo.index is None else self.pool.group(demo.index) for demo in candidates]),
            rows=rows,
        )
        return [tuple(candidates[position] for position in row) for row in chosen]

    async def _vectors_of_texts_and_candidates(
        self, indices: Sequence[int], candidates: Sequence[Demonstration], embeddings: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
        """The student's view of texts and candidates where both are of the pool, else the untrained encoder's."""
        places = [demo.index for demo in candidates if demo.index is not None]
        if len(places) == len(candidates):
            return embeddings, np.array(indices, dtype=np.int64), embeddings[places]
        texts = [self.pool.texts[index] for index in indices]
        return await self.embed(texts), None, await self.embed([demo.text for demo in candidates])

    def _classes(self, candidates: Sequence[Demonstration]) -> np.ndarray:
        """What demonstrations are balanced over: their labels, or the combinations of several."""
        return class_ids([demo.label for demo in candidates], self.task.names, self.task.kind)

    @property
    def _is_multi(self) -> bool:
        return self.task.kind == "multi"

    @property
    def _many_labels(self) -> bool:
        """Whether texts are asked about the nearest labels only; of several labels the right ones may lie apart."""
        return len(self.task.labels) > label_shortlist.MANY_LABELS and not self._is_multi

    @property
    def _retrieval(self) -> str:
        if self.settings.retrieval != "auto":
            return self.settings.retrieval
        return "nearest" if self.annotator.writes or self._many_labels else "shared"
