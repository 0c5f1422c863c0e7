"""How much of a whole job is done, and what is left of it."""

from __future__ import annotations

import pytest

from freeal.events import BatchProgress, Progress, RoundFinished
from freeal.job.timing.remaining_time import RemainingTime
from freeal.job.timing.stage_durations import Part, parts_of_job
from freeal.settings import LoopSettings

PARTS = [
    Part("annotating", 1, 30.0),
    Part("training", 1, 100.0),
    Part("annotating", 2, 9.0),
    Part("training", 2, 100.0),
    Part("writing", 0, 1.0),
]


class _Job:
    """Sends events at given seconds and keeps what came out."""

    def __init__(self):
        self.now, self.told = 0.0, []
        self.ahead = RemainingTime(self.told.append, rounds=2, seconds=lambda: self.now)

    def at(self, seconds, event):
        self.now = seconds
        self.ahead(event)
        return self.told[-1]


@pytest.fixture
def job():
    """A job of two rounds over 100 texts, whose models are loaded at second 0."""
    found = _Job()
    found.ahead.expect(PARTS, texts=100, computes=frozenset({"annotating", "training"}))
    return found


def test_training_and_further_rounds_count_from_the_start(job):
    """Before anything is measured, what is left is the sum of all that is expected."""
    first = job.at(0.0, Progress("annotating", 1, 0, 100))
    assert (2, 0.0, 240.0) == (first.rounds, first.overall, first.remaining_seconds)


def test_a_slow_machine_is_noticed_and_believed_of_what_is_yet_to_come(job):
    """Annotating took three times as long as expected: so will training, which has not begun."""
    job.at(0.0, Progress("annotating", 1, 0, 100))
    slow = job.at(90.0, Progress("annotating", 1, 100, 100))
    assert slow.remaining_seconds == pytest.approx(3 * 210, rel=0.1)
    assert slow.overall == pytest.approx(90 / 720, rel=0.1)


def test_what_is_measured_of_a_stage_goes_before_what_is_measured_of_another(job):
    """Training as fast as expected, after slow answers."""
    job.at(90.0, Progress("annotating", 1, 100, 100))
    half = job.at(140.0, Progress("training", 1, 20, 40))
    assert half.remaining_seconds == pytest.approx(150 + 9 * 3, rel=0.1)


def test_a_round_that_ends_says_how_many_are_asked_again(job):
    """10 of 100 are left open: these are asked, a third of what was expected, 3 seconds' worth."""
    job.at(30.0, Progress("annotating", 1, 100, 100))
    job.at(130.0, Progress("training", 1, 40, 40))
    job.at(130.0, RoundFinished(1, {"left_open": 10}))
    after = job.at(130.0, Progress("annotating", 2, 0, 10))
    assert after.remaining_seconds == pytest.approx(3 + 100 + 1, rel=0.05)


def test_the_bar_never_goes_back_and_ends_full(job):
    """Not when a stage is slow, not when the rounds settle early."""
    steps = [
        (30.0, "annotating", 1, 100),
        (31.0, "training", 1, 1),
        (400.0, "training", 1, 50),
        (410.0, "writing", 0, 100),
    ]
    overall = [job.at(at, Progress(stage, number, done, 100)).overall for at, stage, number, done in steps]
    assert sorted(overall) == overall
    assert 1.0 == overall[-1]


def test_a_batch_at_the_provider_leaves_the_time_open(job):
    """It takes minutes or a day: no figure is better than a wrong one."""
    job.at(1.0, BatchProgress("b-1", 0, 100))
    assert job.at(2.0, Progress("annotating", 1, 10, 100)).remaining_seconds is None
    job.at(3.0, BatchProgress("b-1", 100, 100))
    assert job.at(4.0, Progress("annotating", 1, 100, 100)).remaining_seconds is not None


def test_a_loop_without_answers_to_wait_for_has_training_alone():
    """A version made anew from corrections asks nothing in its first round."""
    loop = LoopSettings(iterations=1)
    found = parts_of_job(loop=loop, asked=10, sets=3, zero_shot=True, from_round=2, answer=1.0, training=5.0)
    assert [("training", 1), ("writing", 0)] == [(part.stage, part.round) for part in found]


def test_every_set_of_demonstrations_and_every_round_is_expected():
    """Zero-shot once, the first round three times, later ones a share of the texts."""
    loop = LoopSettings(iterations=2)
    found = parts_of_job(loop=loop, asked=10, sets=3, zero_shot=True, from_round=1, answer=1.0, training=5.0)
    answers = [round(part.seconds, 3) for part in found if part.stage == "annotating"]
    assert [10.0, 30.0, 9.0] == answers
    assert 10.0 == sum(part.seconds for part in found if part.stage == "training")
