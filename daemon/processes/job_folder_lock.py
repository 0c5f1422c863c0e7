"""A job's folder is worked on by one process at a time: one that a killed daemon left behind is waited for."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import anyio.from_thread
import anyio.lowlevel
import filelock

from daemon.errors import AlreadyRunningError
from freeal.events import Emit, Waiting

PREDECESSOR_SECONDS = 60.0


@contextlib.asynccontextmanager
async def hold_job_folder(
    work: Path, emit: Emit, *, patience_seconds: float = PREDECESSOR_SECONDS
) -> AsyncIterator[None]:
    """Hold a job's folder. The process of a daemon that was killed may still be on its way out: wait for it, and say
    so, because whoever listens takes a long silence for a fault. After that it is for the daemon to wait: raises
    `AlreadyRunningError`, which pauses the job."""
    work.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(work.parent / "process.lock")
    end = anyio.current_time() + patience_seconds
    while True:
        try:
            lock.acquire(timeout=0)
            break
        except filelock.Timeout as cause:
            if anyio.current_time() > end:
                problem = "another process still works on this job"
                raise AlreadyRunningError(problem, hint="it is waited for; the job goes on by itself") from cause
            emit(Waiting("its former process"))
            await anyio.sleep(1.0)
    try:
        yield
    finally:
        lock.release()
