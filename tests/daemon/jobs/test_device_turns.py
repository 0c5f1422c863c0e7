"""The device is one job's at a time; who waits for a batch holds no place."""

from __future__ import annotations

import contextlib
import io
import json

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.jobs.device_turns import Lanes
from daemon.limits.rate_limit_shares import Shares
from daemon.processes import message_protocol
from daemon.processes.child_channel import Channel
from daemon.processes.child_device_turn import DeviceTurns
from daemon.processes.message_protocol import Grant, Turn
from freeal.events import BatchProgress, Notice, Progress, Waiting


def _wants(number):
    return Turn(number, wanted=True)


def _is_done(number):
    return Turn(number, wanted=False)


@contextlib.contextmanager
def _members(lanes, *names):
    with contextlib.ExitStack() as stack:
        for name in names:
            stack.enter_context(lanes.job_at_device(name))
        yield


def test_the_device_goes_to_who_asked_first():
    """One at a time, in the order of asking, whoever comes again goes to the end."""
    lanes = Lanes()
    with _members(lanes, "a", "b", "c"):
        for name in "abc":
            lanes.on_device_turn(name, _wants(1))
        assert ("a", ("b", "c")) == (lanes.holder, lanes.queue)
        lanes.on_device_turn("a", _is_done(1))
        lanes.on_device_turn("a", _wants(2))
        assert ("b", ("c", "a")) == (lanes.holder, lanes.queue)
        assert [False, True] == [lanes.waits(name) for name in "bc"]


def test_who_dies_gives_the_device_back():
    """A killed process says nothing any more: the end of its membership frees the device, or its place in the queue."""
    lanes = Lanes()
    with _members(lanes, "a", "b"):
        with lanes.job_at_device("killed"):
            lanes.on_device_turn("killed", _wants(1))
            lanes.on_device_turn("a", _wants(1))
            lanes.on_device_turn("b", _wants(1))
        assert ("a", ("b",)) == (lanes.holder, lanes.queue)
    assert (None, ()) == (lanes.holder, lanes.queue)


def test_grants_reach_whom_they_belong_to():
    """Each with the number of the turn it is for; nobody hears of another's."""
    lanes = Lanes()
    heard = []

    async def listen(name):
        async def send(grant):
            heard.append((name, grant))

        await lanes.tell_grants(name, send)

    async def play():
        async with anyio.create_task_group() as tasks:
            with _members(lanes, "a", "b"):
                tasks.start_soon(listen, "a")
                tasks.start_soon(listen, "b")
                lanes.on_device_turn("a", _wants(7))
                lanes.on_device_turn("b", _wants(3))
                await anyio.wait_all_tasks_blocked()
                assert [("a", Grant(7))] == heard
                lanes.on_device_turn("a", _is_done(7))
                await anyio.wait_all_tasks_blocked()
                tasks.cancel_scope.cancel()

    anyio.run(play)
    assert [("a", Grant(7)), ("b", Grant(3))] == heard


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=40))
def test_whatever_is_said_one_job_at_most_has_the_device_and_somebody_has_it_if_anybody_wants_it(said):
    """Odd orders included: a turn given back twice, asked for twice."""
    lanes = Lanes()
    numbers = dict.fromkeys("abc", 0)
    with _members(lanes, *"abc"):
        for name, wanted in said:
            numbers[name] += wanted
            lanes.on_device_turn(name, Turn(numbers[name], wanted=wanted))
            assert lanes.holder not in lanes.queue
            assert lanes.holder is not None or not lanes.queue
            assert wanted == lanes.waits(name) or lanes.holder == name


def test_a_job_in_a_batch_is_idle_until_it_works_again():
    """What it says in passing changes nothing; whoever gives out places is told at once."""
    lanes, told = Lanes(), []
    lanes.listen(lambda: told.append(sorted(lanes.idle)))
    with lanes.job_at_device("a"):
        for event in (BatchProgress("x", 0, 9), Notice("on"), BatchProgress("x", 3, 9), Waiting("a batch")):
            lanes.heed_batch_waiting("a", event)
            assert {"a"} == lanes.idle
        lanes.heed_batch_waiting("a", Progress("annotating", 1, 9, 9))
        assert frozenset() == lanes.idle
        lanes.heed_batch_waiting("a", BatchProgress("y", 0, 9))
    assert [["a"], [], ["a"], []] == told


@pytest.mark.parametrize(
    ("event", "part"),
    [
        (Progress("training", 1, 0, 9), 1.0),
        (Progress("encoding", 0, 0, 9), 1.0),
        (Waiting("the device"), 1.0),
        (BatchProgress("x", 0, 9), 1.0),
        (Waiting("the provider"), 0.5),
        (Progress("annotating", 1, 0, 9), 0.5),
    ],
)
def test_who_calls_nobody_leaves_the_limits_to_the_others(event, part):
    """One that waits for the device or for a batch among them; not one that the provider holds up."""
    shares = Shares()
    with shares.job_at_provider("a", "anthropic"), shares.job_at_provider("b", "anthropic"):
        shares.heed_provider_calls("b", event)
        assert part == shares.of("a")


def _said(stream):
    return [message_protocol.decode(line) for line in stream.getvalue().splitlines()]


def test_a_job_asks_waits_and_gives_back():
    """A wait that takes longer is told, and what was under way again after it."""
    stream = io.StringIO()

    async def play():
        turns = DeviceTurns(Channel(stream))
        turns.emit(Progress("annotating", 1, 3, 9))

        async def work():
            async with turns.device_turn():
                pass

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(work)
            while "the device" not in stream.getvalue():  # noqa: ASYNC110 - its own patience is what we wait for
                await anyio.sleep(0.01)
            turns.take(Grant(1))

    anyio.run(play)
    kinds = [getattr(message, "event", message) for message in _said(stream)]
    under_way = Progress("annotating", 1, 3, 9)
    assert [under_way, _wants(1), Waiting("the device"), under_way, _is_done(1)] == kinds


def test_a_grant_for_a_turn_that_is_over_is_none_for_the_next():
    """A job that was stopped while it waited asked again: the device is another's now."""
    stream = io.StringIO()

    async def play():
        turns = DeviceTurns(Channel(stream))
        with anyio.move_on_after(0.05):
            async with turns.device_turn():
                raise AssertionError
        entered = False

        async def work():
            nonlocal entered
            async with turns.device_turn():
                entered = True

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(work)
            await anyio.wait_all_tasks_blocked()
            turns.take(Grant(1))
            await anyio.wait_all_tasks_blocked()
            assert not entered
            turns.take(Grant(2))

    anyio.run(play)
    assert [_wants(1), _is_done(1), _wants(2), _is_done(2)] == _said(stream)


def test_what_goes_down_the_pipe_arrives():
    """A share or a grant; anything else is nothing."""
    for message in (message_protocol.Share(0.25), Grant(3)):
        assert message == message_protocol.decode_down(message_protocol.encode_down(message))
    for line in ("", "[]", json.dumps({"type": "grant"}), json.dumps({"type": "share", "share": 2})):
        assert None is message_protocol.decode_down(line)
