"""Which errors are the disk's, and that a service goes on by itself when there is room again."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import time
from pathlib import Path

import anyio
import pytest

from daemon import app
from daemon.config import Loaded
from daemon.host import disk_errors
from daemon.host.clock import Clock
from daemon.jobs import failure_policy
from daemon.jobs.resource_pause import Standstill
from daemon.journal.job_record import Job, State
from daemon.journal.journal import Journal
from daemon.processes.child_channel import failure_of
from daemon.terminal.progress_log import LogView


def _sqlite_full():
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (x TEXT)")
    connection.execute("PRAGMA max_page_count = 2")
    with pytest.raises(sqlite3.OperationalError) as caught:
        connection.execute("INSERT INTO t VALUES (?)", ("x" * 100_000,))
    connection.close()
    return caught.value


def _caused(cause):
    error = RuntimeError("could not save")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/work/x/.a.tmp"), "no room"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "quota"),
        (OSError(errno.EIO, "Input/output error"), "failed to read or write"),
        (OSError(errno.EROFS, "Read-only file system"), "read-only"),
        (_sqlite_full(), "no room"),
        (RuntimeError('IoError(Os { code: 28, kind: StorageFull, message: "No space left on device" })'), "no room"),
        (RuntimeError("No space left on device (os error 28)"), "no room"),
        (shutil.Error([("a", "b", "[Errno 28] No space left on device: 'a' -> 'b'")]), "no room"),
        (_caused(OSError(errno.ENOSPC, "No space left on device")), "no room"),
        (ExceptionGroup("several", [ValueError(), OSError(errno.ENOSPC, "No space left on device")]), "no room"),
    ],
)
def test_a_disk_in_trouble_is_recognised_wherever_it_stands(error, word):
    """In a cause, in a group, in SQLite's words and in Rust's: a job waits for it and is not given up."""
    trouble = disk_errors.disk_error_in(error)
    assert word in trouble.problem
    failure = failure_of(error)
    assert "DiskError" == failure.kind
    pause = failure_policy.judge_failure(failure, attempts=6, now=100.0)
    assert (100.0 + disk_errors.RETRY_SECONDS, False, False) == (pause.until, pause.at_budget, pause.is_attempt)


def test_the_message_names_the_folder_and_not_a_temporary_file():
    """What a person knows, and can make room in."""
    trouble = disk_errors.disk_error_in(OSError(errno.ENOSPC, "No space left on device", "/work/x/.a.csv.0a1b2c3d.tmp"))
    assert {"file": "/work/x"} == trouble.where.as_dict()


@pytest.mark.parametrize(
    "error", [ValueError("code: x"), PermissionError(errno.EACCES, "Permission denied"), FileNotFoundError()]
)
def test_other_errors_are_not_the_disks(error):
    """They fail the job at once: waiting would not help."""
    assert disk_errors.disk_error_in(error) is None


def _hurried():
    begun = time.time()
    return Clock(
        wall=lambda: begun + (time.time() - begun) * 200.0, steady=lambda: begun + (time.monotonic() - begun) * 200.0
    )


@pytest.fixture
def full(world, monkeypatch):
    """While the set is not empty, no rename into the models folder finds room."""
    reasons, rename = {"full"}, Path.replace

    def replace(self, target):
        if reasons and Path(target).is_relative_to(world.settings.models):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), os.fspath(target))
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    return reasons


def test_a_running_service_goes_on_by_itself_when_there_is_room_again(world, full):
    """The job pauses with the reason; nobody asks for a retry, and only the publishing is done."""
    world.drop()
    with Journal(world.settings.state, Clock()) as journal:
        service = app.build_service(
            Loaded(world.settings, world.root, {}),
            once=False,
            journal=journal,
            time=_hurried(),
            view=LogView(),
            programs=app.Programs("scripted_train", "scripted_predict"),
        )

        async def serve():
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(service.run)
                [paused] = await _jobs_when(journal, State.PAUSED)
                full.clear()
                [done] = await _jobs_when(journal, State.DONE)
                tasks.cancel_scope.cancel()
                return paused, done

        paused, done = anyio.run(serve)
    assert "no room is left on the disk" in paused.reason
    assert str(world.settings.models / "a") in paused.reason
    assert (paused.id, 0.25, "") == (done.id, done.usd, done.reason)
    assert (world.settings.models / "a" / "model" / "config.json").is_file()
    assert [] == world.names("inbox", "failed")


async def _jobs_when(journal, state):
    while {state} != {job.state for job in journal.jobs()}:  # noqa: ASYNC110 - another task moves them
        await anyio.sleep(0.02)
    return journal.jobs()


def test_a_pause_that_cannot_be_written_down_is_remembered(journal, hands):
    """The journal's own disk is full: the job rests all the same, and is due again after a while."""
    job = Job(id="m-1", name="m", key="k", csv_name="a.csv", spec_name="a.yaml", created_at=1.0, updated_at=1.0)
    journal.add(job)
    with journal.transaction() as connection:
        connection.execute("PRAGMA query_only = 1")
    standstill = Standstill(journal, hands.clock)
    assert State.PAUSED is standstill.pause_for_resource(job, disk_errors.of_errno(errno.EROFS, None)).state
    assert [State.CLAIMED] == [one.state for one in journal.unfinished()]
    assert [State.PAUSED] == [one.state for one in standstill.seen_in(journal.unfinished())]
    hands.pass_by(disk_errors.RETRY_SECONDS)
    assert [State.CLAIMED] == [one.state for one in standstill.seen_in(journal.unfinished())]
