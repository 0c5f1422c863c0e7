"""daemon/limits/rate_limit_shares.py: who may use how much of a provider's limits, and how a job learns it."""

from __future__ import annotations

import contextlib
import itertools

import anyio
import pytest

from daemon.limits.rate_limit_shares import Shares
from daemon.processes import process_supervisor
from daemon.processes.message_protocol import Share, decode_down, encode_down
from freeal.events import Notice, Progress


@contextlib.contextmanager
def together(shares, *jobs, provider="anthropic"):
    """Some jobs at once."""
    with contextlib.ExitStack() as stack:
        for job in jobs:
            stack.enter_context(shares.job_at_provider(job, provider))
        yield


def progress(stage):
    return Progress(stage, 1, 0, 1)


def test_jobs_that_call_the_same_provider_share_equally():
    """One has all, two a half, three a third; what one gives up the others have."""
    shares = Shares()
    with together(shares, "a"):
        assert 1.0 == shares.of("a")
        with together(shares, "b", "c"):
            assert [1 / 3] * 3 == [shares.of(job) for job in "abc"]
        assert 1.0 == shares.of("a")


def test_another_provider_has_limits_of_its_own():
    """A job at a server in the house takes nothing from those at Anthropic."""
    shares = Shares()
    with together(shares, "a"), together(shares, "b", provider="openai"):
        assert (1.0, 1.0) == (shares.of("a"), shares.of("b"))


def test_a_job_that_trains_gives_its_part_away():
    """Until it annotates again; its own part is what it will have then, so that it begins no faster than it may."""
    shares = Shares()
    with together(shares, "a", "b"):
        shares.heed_provider_calls("a", progress("training"))
        assert (0.5, 1.0) == (shares.of("a"), shares.of("b"))
        shares.heed_provider_calls("a", Notice("nothing to do with it"))
        shares.heed_provider_calls("a", progress("annotating"))
        assert (0.5, 0.5) == (shares.of("a"), shares.of("b"))


def test_a_job_is_told_only_what_changes():
    """Nothing while it is alone, then every new part once."""
    told = []

    async def send(part):
        told.append(part)

    async def scenario():
        shares = Shares()
        async with anyio.create_task_group() as tasks:
            with together(shares, "a"):
                tasks.start_soon(shares.tell_share, "a", send)
                await anyio.wait_all_tasks_blocked()
                with together(shares, "b"):
                    await anyio.wait_all_tasks_blocked()
                    shares.heed_provider_calls("a", progress("training"))
                    await anyio.wait_all_tasks_blocked()
                    with together(shares, "c"):
                        await anyio.wait_all_tasks_blocked()
                await anyio.wait_all_tasks_blocked()
                tasks.cancel_scope.cancel()

    anyio.run(scenario)
    assert [0.5, 1 / 3, 1.0] == told[:2] + told[-1:]
    assert all(one != other for one, other in itertools.pairwise(told))


def test_a_share_survives_the_pipe():
    """One line down."""
    assert Share(1 / 3) == decode_down(encode_down(Share(1 / 3)))


@pytest.mark.parametrize(
    "line",
    ["", "hello", "[]", "{}", '{"type": "share"}', '{"type": "share", "share": 0}', '{"type": "share", "share": 2}'],
)
def test_what_is_no_share_is_told_apart(line):
    """A job's process obeys nothing it does not understand."""
    assert None is decode_down(line)


_CHILD = """
import sys
from daemon.processes.child_channel import Channel
from daemon.processes.child_device_turn import DeviceTurns
from daemon.processes.entry_points.train_job import Ears
import anyio, anyio.lowlevel, threading
from freeal.llm.limits.rate_limiter import Limiter
from freeal.llm.limits.rate_limit_headers import RateLimits

async def main():
    sys.stdin.readline()
    limiter = Limiter(8, limits=RateLimits(requests=100))
    stopped = anyio.Event()
    token = anyio.lowlevel.current_token()
    ears = Ears(limiter, DeviceTurns(Channel(sys.stdout)), stopped.set, token)
    threading.Thread(target=ears.listen_to_daemon, daemon=True).start()
    print('{"type": "notice", "message": "ready"}', flush=True)
    while limiter.limits.requests == 100:
        await anyio.sleep(0.01)
    print('{"type": "result", "content": {"requests": %s}}' % limiter.limits.requests, flush=True)
    await stopped.wait()

anyio.run(main)
"""


def test_a_process_obeys_a_share_at_once_and_stops_at_the_end_of_its_stdin(tmp_path, monkeypatch):
    """What comes down the pipe is the limiter's next rate; the closed pipe is the end."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "listening.py").write_text(_CHILD)

    async def talk():
        ready = anyio.Event()
        async with process_supervisor.child("listening") as process:

            async def share():
                await ready.wait()
                await process.send("no message of ours")
                await process.send(encode_down(Share(0.25)))

            answer = await process_supervisor.converse(
                process,
                "the job",
                on_event=lambda event: ready.set(),
                stop=anyio.Event(),
                silence_seconds=60.0,
                grace_seconds=60.0,
                meanwhile=share,
            )
            return answer.content, await process.finish_process()

    assert ({"requests": 25.0}, 0) == anyio.run(talk)
