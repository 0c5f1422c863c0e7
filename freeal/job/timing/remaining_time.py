"""How much of a whole job is done and what it will still take: its parts as expected, corrected by what is measured."""

from __future__ import annotations

import dataclasses
import time
from collections import defaultdict
from collections.abc import Callable, Sequence

from freeal.aggregation.several_annotators import Use
from freeal.annotation.annotator import Annotator
from freeal.annotation.question_form_trial import trial_answers
from freeal.annotation.round_annotation import FREE_SETS
from freeal.events import BatchProgress, Emit, Event, Progress, RoundFinished
from freeal.job.run_inputs import Given
from freeal.job.timing import stage_durations
from freeal.job.timing.stage_durations import LATER_ROUND_SHARE, Part
from freeal.settings import LlmSettings, LoopSettings, StudentSettings
from freeal.student.protocols import Trainer
from freeal.types import Task

LEAST_SECONDS = 1.0
"""Less of a stage than this says nothing about its pace."""
STRENGTH_SECONDS = 2.0
"""So much weighs what was expected beside what is measured: the first batch of a stage is slow."""


class RemainingTime:
    """An `Emit` that adds `rounds`, `overall` and `remaining_seconds` to every progress event it passes on.

    What a stage took is compared with what was expected of it, and the rest of its kind corrected by that; a kind not
    seen yet is corrected by all that computes on this machine (`computes`).
    """

    def __init__(self, emit: Emit, *, rounds: int, seconds: Callable[[], float] = time.monotonic) -> None:
        self._emit, self._rounds, self._seconds = emit, rounds, seconds
        self._parts: list[Part] = []
        self._shares: list[float] = []
        self._computes: frozenset[str] = frozenset({"training"})
        self._texts = 0
        self._taken: defaultdict[str, float] = defaultdict(float)
        self._last: Progress | None = None
        self._begun = self._looked = seconds()
        self._overall = 0.0
        self._in_batch = False

    def expect(self, parts: Sequence[Part], *, texts: int, computes: frozenset[str]) -> None:
        """From now on the job has these parts, over so many texts; `computes` are the stages this machine computes."""
        self._parts, self._shares = list(parts), [0.0] * len(parts)
        self._texts, self._computes = texts, computes

    def __call__(self, event: Event) -> None:
        """Pass the event on."""
        if isinstance(event, Progress):
            event = self._progress_with_remaining_time(event)
        elif isinstance(event, RoundFinished):
            self._end_round(event)
        elif isinstance(event, BatchProgress):
            self._in_batch = event.answered < event.requests  # it takes minutes, or a day: nobody knows
        self._emit(event)

    def _progress_with_remaining_time(self, event: Progress) -> Progress:
        self._charge_time_to_stage(event)
        self._place_event(event)
        told = dataclasses.replace(event, rounds=self._rounds)
        if not self._parts or self._in_batch:
            return told
        left = self._seconds_left()
        elapsed = self._looked - self._begun
        self._overall = max(self._overall, elapsed / max(elapsed + left, 1e-9))
        return dataclasses.replace(told, overall=round(self._overall, 4), remaining_seconds=round(left, 1))

    def _charge_time_to_stage(self, event: Progress) -> None:
        """For the time that remains: what has passed since the last look belongs to the stage that was under way, or
        that this event says has begun."""
        now, last = self._seconds(), self._last
        is_over = last is None or (last.total > 0 and last.done >= last.total)
        stage = event.stage if last is None or is_over else last.stage
        self._taken[stage] += now - self._looked
        self._looked, self._last = now, event

    def _place_event(self, event: Progress) -> None:
        places = [place for place, part in enumerate(self._parts) if (part.stage, part.round) == _key(event)]
        if places:
            self._shares[: places[0]] = [1.0] * places[0]
            share = min(1.0, event.done / event.total) if event.total else 0.0
            self._shares[places[0]] = max(self._shares[places[0]], share)

    def _end_round(self, event: RoundFinished) -> None:
        """Its parts are over, and who will be asked again in the next one is known."""
        asked_share = min(self._texts, event.metrics.get("left_open", self._texts)) / max(1, self._texts)
        for place, part in enumerate(self._parts):
            if 0 < part.round <= event.round or (part.round == 0 and part.stage in {"selecting", "annotating"}):
                self._shares[place] = 1.0
            elif part.stage == "annotating" and part.round == event.round + 1:
                seconds = part.seconds / LATER_ROUND_SHARE * asked_share
                self._parts[place] = dataclasses.replace(part, seconds=seconds)

    def _seconds_left(self) -> float:
        done: defaultdict[str, float] = defaultdict(float)
        left: defaultdict[str, float] = defaultdict(float)
        for part, share in zip(self._parts, self._shares, strict=True):
            done[part.stage] += part.seconds * share
            left[part.stage] += part.seconds * (1.0 - share)
        seen = [stage for stage in self._computes if done[stage]]
        pace = self._pace(sum(self._taken[stage] for stage in seen), sum(done[stage] for stage in seen))
        total = 0.0
        for stage, seconds in left.items():
            if done[stage] and self._taken[stage] >= LEAST_SECONDS:
                total += seconds * self._pace(self._taken[stage], done[stage])
            else:
                total += seconds * (pace if stage in self._computes else 1.0)
        return total

    @staticmethod
    def _pace(taken: float, expected: float) -> float:
        return (taken + STRENGTH_SECONDS) / (expected + STRENGTH_SECONDS)


def _key(event: Progress) -> tuple[str, int]:
    return event.stage, event.round


def foresee_remaining_time(
    ahead: RemainingTime,
    llm: LlmSettings,
    student: StudentSettings,
    loop: LoopSettings,
    *,
    llm_use: Use,
    annotators: Sequence[Annotator],
    trainer: Trainer,
    given: Given,
    task: Task,
) -> None:
    """Tell `ahead` which parts the job will have and how long each is likely to take, from its settings and models."""
    texts = given.pool.texts
    on_gpu = not trainer.description["device"].startswith("cpu")
    first = annotators[0]
    answers = [_answer_seconds(one, texts, concurrency=llm.concurrency, on_gpu=on_gpu) for one in annotators]
    side_by_side = llm_use == "side_by_side"
    asked = max(1, round(loop.annotate_share * len(texts)))
    trainings = stage_durations.training_seconds(student, texts=len(texts), on_gpu=on_gpu, names_only=first.writes)
    parts = stage_durations.parts_of_job(
        loop=loop,
        asked=asked,
        sets=loop.demonstration_sets or (FREE_SETS if first.free else 1),
        zero_shot=loop.zero_shot == "always" or (loop.zero_shot == "auto" and first.free),
        from_round=2 if given.known.annotations else 1,
        answer=sum(answers) if side_by_side else answers[0],
        training=sum(trainings) / 2,
        trial=trial_answers(llm.form, asked, task=task, text_columns=given.pool.text_columns)
        if first.scores and not given.known.annotations
        else 0,
        comparing=stage_durations.comparison_seconds(student, texts=len(texts), on_gpu=on_gpu),
        looks=() if side_by_side else answers[1:],
    )
    computes = frozenset({"training"} if first.writes else {"training", "selecting", "annotating"})
    ahead.expect(parts, texts=len(texts), computes=computes)


def _answer_seconds(annotator: Annotator, texts: Sequence[str], *, concurrency: int, on_gpu: bool) -> float:
    if annotator.writes:
        return stage_durations.NETWORK_SECONDS_PER_ANSWER / concurrency
    return stage_durations.answer_seconds(texts, on_gpu=on_gpu)
