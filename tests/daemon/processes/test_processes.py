"""The pipe between the daemon and its processes, with real processes at its other end."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import anyio
import filelock
import pytest

from daemon.errors import AlreadyRunningError
from daemon.processes import message_protocol, process_supervisor
from daemon.processes.child_channel import failure_of
from daemon.processes.job_folder_lock import hold_job_folder
from daemon.processes.message_protocol import EventMessage, Failure, Result, Stopped, Turn
from freeal.errors import FreealError, OutputBusyError, SpecError, Where
from freeal.events import BatchProgress, Notice, Progress, RoundFinished, Spend, Waiting


@pytest.mark.parametrize(
    "message",
    [
        EventMessage(Progress("annotating", 1, 2, 3)),
        EventMessage(Spend(0.5, 1, 2, 3, 4)),
        EventMessage(BatchProgress("msgbatch_1", 2, 3)),
        EventMessage(RoundFinished(1, {"clean": 0.5})),
        EventMessage(Notice("line\nbreak é")),
        EventMessage(Waiting("the device")),
        Turn(3, wanted=True),
        Result({"budget_reached": True}),
        Failure("InputError", "no", {"file": "a.csv", "line": 3}, "mend it"),
        Stopped(),
    ],
)
def test_every_message_survives_the_pipe(message):
    """One line each, whatever is in it."""
    line = message_protocol.encode(message)
    assert (message, False) == (message_protocol.decode(line), "\n" in line)


@pytest.mark.parametrize("line", ["", "hello", "[]", "3", "{}", '{"type": "nobody"}', '{"type": "spend"}'])
def test_what_is_no_message_is_told_apart(line):
    """A library that prints cannot confuse the daemon."""
    assert None is message_protocol.decode(line)


def test_an_error_travels_with_its_place():
    """The daemon shows what the child raised, as if it had raised it."""
    error = SpecError("unknown key", where=Where(file="a.yaml", line=3, key="x"), hint="did you mean 'y'?")
    failure = Failure.of(error)
    assert ("SpecError", str(error)) == (failure.kind, str(failure.as_error()))
    assert isinstance(failure.as_error(), FreealError)


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Write a module a child can run as `python -m scripted`."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def write(text):
        (tmp_path / "scripted.py").write_text("import os, sys, time, signal\n" + text)
        return "scripted"

    return write


def _talk(module, *, stop_at_once=False, silence=60.0, grace=60.0, may_be_silent=lambda: False):
    events = []

    async def talk():
        stop = anyio.Event()
        if stop_at_once:
            stop.set()
        async with process_supervisor.child(module) as process:
            answer = await process_supervisor.converse(
                process,
                "hi",
                on_event=events.append,
                stop=stop,
                silence_seconds=silence,
                grace_seconds=grace,
                may_be_silent=may_be_silent,
            )
            code = await process.finish_process()
        return answer, code, process

    return (*anyio.run(talk), events)


def test_events_come_in_order_and_the_answer_ends_the_talk(program):
    """The request goes down, events and the result come up."""
    module = program(
        "line = sys.stdin.readline().strip()\n"
        "print('noise')\n"
        """print('{"type": "notice", "message": "' + line + '"}')\n"""
        """print('{"type": "result", "content": {"a": 1}}', flush=True)\n"""
    )
    answer, code, _, events = _talk(module)
    assert (Result({"a": 1}), 0, [Notice("hi")]) == (answer, code, events)


def test_a_child_that_somebody_killed_is_reported_as_such(program):
    """It leaves no word of its own; the kernel did not want its memory, so nothing is said of that."""
    answer, code, process, _ = _talk(program("os.kill(os.getpid(), signal.SIGKILL)"))
    assert (None, -signal.SIGKILL) == (answer, code)
    assert "its process was killed by SIGKILL" == process.how_it_died(code).problem


@pytest.mark.parametrize(("kills", "is_memory"), [((3, 4), True), ((3, 3), False), ((None, None), True)])
def test_a_child_killed_for_want_of_memory_is_reported_as_such(kills, is_memory):
    """The kernel's count tells; where it tells nothing, memory is the likeliest reason."""
    counts = iter(kills)
    process = process_supervisor.Child(None, "m", memory_kills=lambda: next(counts))
    assert is_memory == ("want of memory" in process.how_it_died(-signal.SIGKILL).problem)


def test_the_last_words_on_stderr_are_kept(program):
    """They go into the log when the child died without an answer."""
    _, code, process, _ = _talk(program("sys.stderr.write('x' * 100_000 + 'last words'); sys.exit(7)"))
    assert (7, True) == (code, process.stderr_tail.endswith("last words"))
    assert process_supervisor.STDERR_TAIL_BYTES == len(process.stderr_tail)


def test_a_child_that_falls_silent_is_told_to_stop_and_its_last_words_are_known(program):
    """SIGTERM; the failure says how far it had come."""
    module = program(
        """print('{"type": "progress", "stage": "training", "round": 2, "done": 3, "total": 9, "unit": "steps"}')\n"""
        "sys.stdout.flush()\ntime.sleep(600)\n"
    )
    answer, code, _, _ = _talk(module, silence=2.0)
    assert ("ChildError", -signal.SIGTERM) == (answer.kind, code)
    assert "training of round 2, 3 of 9 steps" in answer.problem


def test_a_silent_child_that_will_not_stop_is_killed(program):
    """A job stuck in the kernel or in native code ends all the same, and it was not for want of memory."""
    module = program("signal.signal(signal.SIGTERM, signal.SIG_IGN)\nsys.stdin.readline()\ntime.sleep(600)")
    answer, code, process, _ = _talk(module, silence=2.0, grace=0.2)
    assert ("ChildError", False) == (answer.kind, process.was_killed(code))


def test_a_child_that_goes_on_telling_is_never_too_slow(program):
    """There is no limit to the time a job may take, only to its silence."""
    say = """print('{"type": "notice", "message": "on"}', flush=True)\n"""
    module = program(
        f"for _ in range(8):\n    time.sleep(0.5); {say}"
        """print('{"type": "result", "content": {}}', flush=True)\n"""
    )
    answer, _, _, events = _talk(module, silence=3.0)
    assert (Result({}), 8) == (answer, len(events))


def test_a_child_that_waits_for_others_may_be_silent(program):
    """One in the queue for the device cannot help it."""
    module = program("""time.sleep(2)\nprint('{"type": "result", "content": {}}', flush=True)\n""")
    assert Result({}) == _talk(module, silence=0.2, may_be_silent=lambda: True)[0]


def test_a_told_child_may_stop_in_its_own_way(program):
    """SIGTERM first: what can be resumed is kept."""
    module = program(
        "def stop(*_):\n"
        """    print('{"type": "stopped"}', flush=True); os._exit(0)\n"""
        "signal.signal(signal.SIGTERM, stop)\n"
        'print(\'{"type": "notice", "message": "on"}\', flush=True)\n'
        "time.sleep(600)\n"
    )

    async def talk():
        stop = anyio.Event()
        async with process_supervisor.child(module) as process:
            answer = await process_supervisor.converse(
                process,
                "hi",
                on_event=lambda event: stop.set(),
                stop=stop,
                silence_seconds=60.0,
                grace_seconds=60.0,
            )
            return answer, await process.finish_process()

    assert (Stopped(), 0) == anyio.run(talk)


def test_a_child_that_will_not_stop_is_killed_after_its_grace(program):
    """One that ignores SIGTERM cannot hold up the end of the service."""
    module = program("signal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(600)")
    answer, code, _, _ = _talk(module, stop_at_once=True, grace=0.3)
    assert None is answer
    assert code in {-signal.SIGKILL, -signal.SIGTERM}  # the second where the signal came before it was ignored


def test_grandchildren_go_with_the_child(program, tmp_path):
    """A session of its own: whatever it started is reached by the same signal."""
    module = program(
        "import subprocess\n"
        "other = subprocess.Popen(['sleep', '600'])\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(other.pid))\n"
        """print('{"type": "result", "content": {}}', flush=True)\n"""
    )
    _talk(module)
    pid = int((tmp_path / "pid").read_text())
    while not _is_gone(pid):  # the kernel takes its time to bury it; the test's time limit is the only one
        time.sleep(0.01)


def _is_gone(pid):
    try:
        return "Z" == Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return True


def test_a_job_that_cannot_be_read_is_a_failure_not_a_crash():
    """The real entry point answers whatever it is sent."""
    answer, status, _, _ = _talk("daemon.processes.entry_points.estimate_job")
    assert ("internal", 0) == (answer.kind, status)


def test_a_former_process_that_takes_long_to_end_is_waited_for(tmp_path):
    """Said, so that the wait is not taken for a fault; once the other is gone, the job has its folder."""
    former = filelock.FileLock(tmp_path / "process.lock")
    former.acquire()
    said = []

    def hear(event):
        said.append(event)
        former.release()

    async def begin():
        async with hold_job_folder(tmp_path / "rounds", hear):
            return former.is_locked

    assert False is anyio.run(begin)
    assert [Waiting("its former process")] == said


def test_a_former_process_that_outlasts_the_patience_pauses_the_job(tmp_path):
    """No fault of the job's: the daemon hears of something that passes, and tries again."""

    async def begin():
        async with hold_job_folder(tmp_path / "rounds", lambda _: None, patience_seconds=-1.0):
            raise AssertionError

    with filelock.FileLock(tmp_path / "process.lock"), pytest.raises(AlreadyRunningError) as raised:
        anyio.run(begin)
    assert Failure.of(raised.value).passes


def test_a_former_process_that_still_labels_lets_the_prediction_wait():
    """What the lane's process says of an output that another one writes is something that passes, through the pipe."""
    said = message_protocol.encode(failure_of(OutputBusyError("is being written by another process")))
    assert message_protocol.decode(said).passes
