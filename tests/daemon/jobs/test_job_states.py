"""The states of a job and which one starts next."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.errors import IllegalMoveError
from daemon.jobs import failure_policy
from daemon.jobs.schedule import MOST_IDLE, Wakes, next_jobs
from daemon.journal.job_record import FINISHED, MOVES, Job, State, check_move
from daemon.processes.message_protocol import Failure


def _job(number, name="m", state=State.CLAIMED, **fields):
    known = {"id": f"{name}-{number}", "name": name, "key": "", "csv_name": "a.csv", "spec_name": "a.yaml"}
    return Job(**known, state=state, created_at=float(number), updated_at=0.0, **fields)


def _next(jobs, *, running=(), idle=(), parallel=1, turns=None, is_due=lambda job: True):
    started = next_jobs(jobs, running=running, idle=idle, parallel=parallel, last_started=turns or {}, is_due=is_due)
    return [job.id for job in started]


def test_every_state_has_its_moves_and_the_end_states_lead_only_back_to_the_start():
    """Nothing is done twice, and what failed can be retried."""
    assert set(State) == set(MOVES)
    assert frozenset() == MOVES[State.DONE]
    assert {State.CLAIMED} == MOVES[State.FAILED] == MOVES[State.CANCELLED]


def test_an_illegal_move_is_refused():
    """A done job cannot start training."""
    with pytest.raises(IllegalMoveError, match="done cannot become training"):
        check_move(State.DONE, State.TRAINING)


def test_jobs_of_one_model_run_in_the_order_they_came():
    """The second CSV for a model waits for the first, even with room for both."""
    jobs = [_job(2), _job(1), _job(3, "other")]
    assert ["m-1", "other-3"] == _next(jobs, parallel=3)
    assert ["other-3"] == _next(jobs, running={"m-1"}, parallel=3)


def test_the_model_that_had_no_turn_for_longest_goes_first():
    """Ten CSVs for one model do not starve another."""
    jobs = [_job(number) for number in range(10)] + [_job(99, "late")]
    assert ["late-99"] == _next(jobs, turns={"m": 5.0})
    assert ["m-0"] == _next(jobs, turns={"m": 5.0, "late": 6.0})


def test_a_paused_job_waits_for_its_time(hands):
    """Its model's next job waits with it."""
    jobs = [_job(1, state=State.PAUSED, until=hands.wall_seconds + 10.0), _job(2)]
    wakes = Wakes(hands.clock)
    wakes.look_at_pauses(jobs)
    assert ([], 10.0) == (_next(jobs, is_due=wakes.is_due), wakes.next_in_seconds())
    hands.pass_by(10.0)
    assert (["m-1"], 0.0) == (_next(jobs, is_due=wakes.is_due), wakes.next_in_seconds())


@pytest.mark.parametrize(("wall_jump", "steady_jump"), [(-86_400.0, 10.0), (86_400.0, 0.0), (10.0, 0.0)])
def test_a_clock_that_jumps_holds_no_paused_job(hands, wall_jump, steady_jump):
    """Set back by a day, it wakes after the time it was to sleep; set ahead, or asleep with the machine, at once."""
    jobs = [_job(1, state=State.PAUSED, until=hands.wall_seconds + 10.0)]
    wakes = Wakes(hands.clock)
    wakes.look_at_pauses(jobs)
    hands.wall_seconds += wall_jump
    hands.steady_seconds += steady_jump
    wakes.look_at_pauses(jobs)
    assert ["m-1"] == _next(jobs, is_due=wakes.is_due)


def test_a_job_that_waits_for_a_batch_holds_no_place():
    """The next model's job starts; but every such process holds memory, so there is an end to it."""
    jobs = [_job(number, f"w{number}", State.ANNOTATING) for number in range(MOST_IDLE + 2)]
    names = [job.id for job in jobs]
    assert 1 == len(_next(jobs, running=names[:2], idle=names[:1], parallel=2))
    assert 1 == len(_next(jobs, running=names[:MOST_IDLE], idle=names[:MOST_IDLE], parallel=1))
    assert [] == _next(jobs, running=names[:-1], idle=names[:-1], parallel=1)


@pytest.mark.parametrize("state", [State.ANNOTATING, State.TRAINING, State.PUBLISHING])
def test_what_a_restart_finds_unfinished_is_run_again(state):
    """The journal says running, but nothing runs."""
    assert ["m-1"] == _next([_job(1, state=state)])


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(sorted(State)), st.booleans()), max_size=12),
    st.integers(1, 4),
)
def test_never_more_than_parallel_and_never_two_of_one_model(entries, parallel):
    """Whatever the journal holds, the limits hold."""
    jobs = [_job(number, name, State(state)) for number, (name, state, _) in enumerate(entries)]
    running = {job.id for job, (_, _, runs) in zip(jobs, entries, strict=True) if runs and job.state not in FINISHED}
    started = next_jobs(jobs, running=running, parallel=parallel, last_started={}, is_due=lambda job: True)
    busy = [job.name for job in jobs if job.id in running] + [job.name for job in started]
    assert len(started) <= max(0, parallel - len(running))
    assert all(busy.count(job.name) == 1 for job in started)
    assert not {job.state for job in started} & FINISHED


def test_a_spend_cap_pauses_for_an_hour_and_counts_as_a_budget():
    """The provider will not answer sooner."""
    found = failure_policy.judge_failure(Failure("SpendCapError", "no"), attempts=1, now=0.0)
    assert (3600.0, True) == (found.until, found.at_budget)


def test_an_unreachable_model_is_tried_again_ever_later_and_then_fails():
    """An outage of minutes costs no job; one of a day is reported."""
    pauses = [failure_policy.judge_failure(Failure("TransientError", "no"), attempts=n, now=0.0) for n in range(1, 7)]
    assert [60.0, 120.0, 240.0, 480.0, 960.0, None] == [pause and pause.until for pause in pauses]


@pytest.mark.parametrize("kind", ["InputError", "AccountError", "TrainingError", "internal", "ChildError"])
def test_other_failures_are_final(kind):
    """Waiting mends neither a CSV nor a key."""
    assert None is failure_policy.judge_failure(Failure(kind, "no"), attempts=1, now=0.0)


def test_each_kind_of_fault_is_tried_once_more():
    """A second kill ends the job; silence after a kill is another fault."""
    first = failure_policy.second_try(failure_policy.Setback.MEMORY, setbacks="")
    assert "memory" == first.setbacks
    assert None is failure_policy.second_try(failure_policy.Setback.MEMORY, setbacks=first.setbacks)
    assert "memory silent" == failure_policy.second_try(failure_policy.Setback.SILENT, setbacks=first.setbacks).setbacks
    assert None is failure_policy.second_try(None, setbacks="")
