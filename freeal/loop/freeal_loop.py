"""The FreeAL loop (Xiao et al., EMNLP 2023, Algorithm 1): annotate, train, select, ask again, until nothing changes.

    demonstrations -> annotate -> train -> select -> demonstrations -> annotate what is left open -> ...

The loop knows protocols only, is resumable at every finished round, and looks at ground truth to report on rounds only.

Of several language models the first is asked in these rounds, and with `side_by_side` all the others beside it; in a
cascade each later one has a round of its own afterwards, about what those before it left open.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Awaitable, Callable, Sequence

import numpy as np

from freeal.aggregation import label_choice, several_annotators
from freeal.aggregation.several_annotators import Use, estimated_errors
from freeal.aggregation.several_labels_posterior import SeveralLabelsEvidence
from freeal.annotation.annotator import Annotator
from freeal.annotation.first_demonstrations import InitialDemonstrations, starting_demonstrations
from freeal.annotation.round_annotation import Questions
from freeal.compute.device_turn import DeviceTurn, always
from freeal.evaluation.metrics import Evaluation
from freeal.events import Emit, Notice, RoundFinished
from freeal.loop import settled_round, trained_round
from freeal.loop.known_labels import Known
from freeal.loop.loop_result import LoopResult
from freeal.loop.merge_annotations import Opinions, merge_opinions, of_annotator
from freeal.loop.question_form_of_each_model import QuestionForms
from freeal.loop.round_cost import RoundCost
from freeal.loop.round_state import RoundState
from freeal.loop.round_store import RoundStore
from freeal.loop.round_training import RoundTraining, Weighed
from freeal.loop.stopping_criteria import best_round, changed_labels, settled
from freeal.pool.text_pool import Pool
from freeal.selection import query_selection
from freeal.settings import LoopSettings
from freeal.student.protocols import Student, Trainer
from freeal.types import Annotation, Demonstration, Task


@dataclasses.dataclass(frozen=True)
class Loop:
    """The parts of one job; `further` are its language models beside the first. `run` again after a crash goes on."""

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
    further: tuple[Annotator, ...] = ()
    llm_use: Use = "cascade"
    before_training: Callable[[], Awaitable[None]] | None = None

    @property
    def annotators(self) -> tuple[Annotator, ...]:
        """Every language model, in order."""
        return (self.annotator, *self.further)

    @functools.cached_property
    def questions(self) -> Questions:
        """What asks the first language model."""
        return Questions(self.task, self.pool, self.annotator, self.trainer, self.settings, self.seed, self.turn)

    @functools.cached_property
    def forms(self) -> QuestionForms:
        """In which form each is asked."""
        return QuestionForms(self.store, self.emit, before=self.known.form)

    @functools.cached_property
    def training(self) -> RoundTraining:
        """What weighs the answers and teaches a student."""
        return RoundTraining(self.questions, self.known, self.llm_use, self.emit)

    async def run(self, user_demonstrations: Sequence[Demonstration]) -> LoopResult:
        """Run the rounds. Raises `LlmError` when the language model is out of reach and `TrainingError` when it gave no
        usable answer at all; a reached budget is no error: the result holds what was paid for.

        Where an earlier version's answers are known, the first round trains on them and asks what is open, if anything.
        """
        if self.known.annotations:
            indices = sorted(self.known.open_texts)
            initial = InitialDemonstrations(tuple(self.known.demonstrations))
        else:
            indices = await self._texts_to_ask(None)
            initial = await starting_demonstrations(
                await self._asking(0, indices), user_demonstrations, indices=indices, taught=self.known.taught
            )
        rounds: list[RoundState] = []
        while len(rounds) < self.settings.iterations and not (rounds and (rounds[-1].cut_off or rounds[-1].settled)):
            state = self.store.load_round(len(rounds) + 1) or await self._run_round(initial, rounds, indices)
            if state is None:
                break
            self._add(rounds, state)
        for place in range(1, len(self.annotators) if self.llm_use == "cascade" else 0):
            if rounds[-1].cut_off:
                break
            state = self.store.load_round(len(rounds) + 1) or await self._cascade_round(place, initial, rounds)
            self._add(rounds, state)
        return LoopResult(tuple(rounds), best_round(rounds), initial.annotations, rounds[-1].cut_off, self.forms.chosen)

    def _add(self, rounds: list[RoundState], state: RoundState) -> None:
        rounds.append(state)
        self.emit(RoundFinished(state.round, state.metrics))

    async def _run_round(
        self, initial: InitialDemonstrations, rounds: Sequence[RoundState], indices: Sequence[int]
    ) -> RoundState | None:
        """Annotate, train, select and save the next round; None when there was nothing to ask and nothing to train on.

        Where asking again changed too little to train on, the round keeps its answers and the student before it.
        """
        number, cost = len(rounds) + 1, RoundCost(self.annotator.ledger)
        previous = rounds[-1] if rounds else None
        candidates = self._candidates(previous, initial)
        if previous is not None:
            indices = await self._texts_to_ask(previous)
        answers: list[Annotation] = []
        for place in range(len(self.annotators) if self.llm_use == "side_by_side" else 1):
            questions = await self._asking(place, indices)
            if previous is not None:
                found = await questions.ask_later_round(
                    number, indices, candidates, proba=previous.posterior, embeddings=previous.embeddings
                )
            else:
                zero_shot = initial.annotations if place == 0 else ()
                found = await questions.ask_first_round(indices, candidates, zero_shot=zero_shot) if indices else []
            answers += of_annotator(place, found)
            cost.charge_annotator(place, asked=len(found))
        said = self._merged_opinions(previous, answers)
        annotations = several_annotators.believed_annotations(said)
        earlier = previous.annotations if previous else self.known.annotations
        changed = changed_labels(earlier or self._merged_opinions(None, initial.annotations)[0], annotations)
        if previous is None or not settled(changed, len(self.pool), share=self.settings.stop_changed_share):
            return await self._train_round(number, answers, said, candidates, cost=cost, changed=changed)
        self.emit(Notice(f"settled: round {number} changed {changed} of {len(self.pool)} labels"))
        if not answers:
            return None
        evidence = await self.training.evidence(said)
        state = settled_round.settled_round_state(
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
        return self._save_round(state, said, evidence, cost=cost, changed=changed, student=None)

    async def _cascade_round(
        self, place: int, initial: InitialDemonstrations, rounds: Sequence[RoundState]
    ) -> RoundState:
        """The round of a later language model of a cascade: it answers a sample drawn by chance, which tells how far
        the confidence so far can be believed, then what is left open, the most open first."""
        number, cost = len(rounds) + 1, RoundCost(self.annotator.ledger)
        previous = best_round(rounds)
        asked_for, most = self._askable()
        candidates, questions = self._candidates(previous, initial), await self._asking(place, asked_for)

        async def ask(indices: Sequence[int]) -> list[Annotation]:
            found = await questions.ask_later_round(
                number, indices, candidates, proba=previous.posterior, embeddings=previous.embeddings
            )
            return of_annotator(place, found)

        pilot = query_selection.by_chance(asked_for, query_selection.PILOT_TEXTS, seed=self.seed + number)
        answers = await ask(pilot)
        evidence = await self.training.evidence(self._merged_opinions(previous, answers))
        proba = evidence.posterior(previous.held_out).proba
        rest = [index for index in asked_for if index not in set(pilot)]
        left = query_selection.queries_left_open(proba, rest, threshold=self.settings.clean_threshold)
        left = left[: max(0, most - len(pilot))]
        agreed = _agreed(previous.posterior, answers, self.task)
        self.emit(
            Notice(
                f"cascade: {questions.annotator.model_name} gives {agreed} of {len(pilot)} texts drawn by chance the "
                f"label they had; it is asked about {len(left)} more that are left open"
            )
        )
        answers += await ask(left) if not questions.annotator.budget_reached else []
        cost.charge_annotator(place, asked=len(answers))
        said = self._merged_opinions(previous, answers)
        changed = changed_labels(previous.annotations, several_annotators.believed_annotations(said))
        return await self._train_round(number, answers, said, candidates, cost=cost, changed=changed)

    async def _train_round(
        self,
        number: int,
        answers: Sequence[Annotation],
        said: Opinions,
        shown: Sequence[Demonstration],
        *,
        cost: RoundCost,
        changed: int,
    ) -> RoundState:
        annotations = several_annotators.believed_annotations(said)
        evidence = await self.training.evidence(said)
        if self.before_training is not None:
            await self.before_training()
        training = await self.training.train(number, annotations, evidence)
        state = trained_round.trained_round_state(
            number,
            self.questions,
            asked=answers,
            annotations=annotations,
            shown=shown,
            training=training,
            posterior=evidence.posterior(training.held_out),
            evaluation=self.evaluation,
        )
        return self._save_round(state, said, evidence, cost=cost, changed=changed, student=training.student)

    def _save_round(
        self,
        state: RoundState,
        said: Opinions,
        evidence: Weighed,
        *,
        cost: RoundCost,
        changed: int,
        student: Student | None,
    ) -> RoundState:
        state.metrics.update(
            changed=changed,
            left_open=len(self._texts_left_open(state)),
            **cost.round_figures(by_annotator=bool(self.further)),
        )
        state = dataclasses.replace(state, cut_off=any(one.budget_reached for one in self.annotators))
        if self.further and not isinstance(evidence, SeveralLabelsEvidence):
            errors = estimated_errors(evidence, state.held_out)
            known = {str(place): round(one, 4) for place, one in enumerate(errors) if not math.isnan(one)}
            state.metrics["estimated_errors"] = known
            state = dataclasses.replace(state, opinions=tuple(map(tuple, said)))
        return self.store.save_round(state, student)

    async def _asking(self, place: int, indices: Sequence[int]) -> Questions:
        asking = dataclasses.replace(self.questions, annotator=self.annotators[place])
        return await self.forms.in_form_of_model(place, asking, indices)

    def _candidates(self, previous: RoundState | None, initial: InitialDemonstrations) -> Sequence[Demonstration]:
        """What may be shown: what the student chose, once there is one, unless the settings say otherwise."""
        if previous is not None and self.settings.demonstrations == "student":
            return previous.representatives
        return initial.demonstrations

    def _askable(self) -> tuple[list[int], int]:
        """The texts that no person labelled, and how many of them a round may ask about at most."""
        asked_for = [index for index in range(len(self.pool)) if index not in self.known.confirmed]
        return asked_for, max(1, round(self.settings.annotate_share * len(self.pool)))

    async def _texts_to_ask(self, previous: RoundState | None) -> list[int]:
        """Pool indices of this round: everything at first, later what is not clean; a share of it where one is set."""
        asked_for, most = self._askable()
        if previous is None:
            if most >= len(asked_for):
                return asked_for
            vectors = await self.questions.embed([self.pool.texts[index] for index in asked_for])
            return [asked_for[row] for row in query_selection.spread_queries(vectors, most, seed=self.seed)]
        unclean = self._texts_left_open(previous)
        posterior = label_choice.alternatives_of(previous.posterior, self.task.kind)
        return unclean if len(unclean) <= most else query_selection.most_open_queries(posterior, unclean, most)

    def _merged_opinions(self, previous: RoundState | None, answers: Sequence[Annotation]) -> list[list[Annotation]]:
        return merge_opinions(
            previous,
            answers,
            self.known,
            labels=self.task.names,
            kind=self.task.kind,
            pool_size=len(self.pool),
            models=len(self.annotators),
        )

    def _texts_left_open(self, state: RoundState) -> list[int]:
        """The texts that the first language model would be asked about again after this round."""
        return query_selection.queries_that_can_change(
            label_choice.alternatives_of(state.posterior, self.task.kind),
            self._askable()[0],
            clean=state.clean_probability,
            threshold=self.settings.clean_threshold,
            scored=np.array([note.distribution is not None for note in state.annotations]),
        )


def _agreed(posterior: np.ndarray, answers: Sequence[Annotation], task: Task) -> int:
    given, _ = label_choice.labels_of(posterior, task.names, task.kind)
    return sum(note.label == given[note.index] for note in answers)
