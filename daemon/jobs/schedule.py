"""Which job starts next, and when a paused one may. Pure, but for the clock that `Wakes` is given."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from daemon.host.clock import Clock
from daemon.journal.job_record import RUNNING, Job, State

MOST_IDLE = 4
"""Processes beside `jobs.parallel`, for jobs that wait for a batch: each still holds its memory."""


def next_jobs(
    jobs: Sequence[Job],
    *,
    running: Collection[str],
    idle: Collection[str] = (),
    parallel: int,
    last_started: Mapping[str, float],
    is_due: Callable[[Job], bool],
) -> list[Job]:
    """The jobs to start now, at most `parallel` less those `running`. Up to MOST_IDLE of these that are `idle`, because
    they wait for a batch, do not count.

    Jobs of one model run one after the other, oldest first. Among the models, the one that has not had a turn for the
    longest time (`last_started`: model name -> seconds) is first, so a full folder for one model cannot starve another.
    """
    free = parallel - (len(running) - min(len(idle), MOST_IDLE))
    if free <= 0:
        return []
    busy = {job.name for job in jobs if job.id in running}
    heads: dict[str, Job] = {}
    for job in sorted(jobs, key=lambda job: (job.created_at, job.id)):
        if job.id not in running and (job.state in {State.CLAIMED, State.PAUSED} or job.state in RUNNING):
            heads.setdefault(job.name, job)
    due = [job for name, job in heads.items() if name not in busy and is_due(job)]
    due.sort(key=lambda job: (last_started.get(job.name, float("-inf")), job.created_at, job.id))
    return due[:free]


class Wakes:
    """When paused jobs may be tried again: at their hour, or when as much time has passed as there was to it.

    The second for a clock that is set back: a job paused by a wrong clock must not sleep until that hour comes again.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pauses: dict[str, tuple[float, float]] = {}
        """Job id -> (its hour, steady seconds at which its time has passed)."""

    def look_at_pauses(self, jobs: Sequence[Job]) -> None:
        """Take in how jobs stand now."""
        wall, steady = self._clock.wall(), self._clock.steady()
        hours = {job.id: job.until for job in jobs if job.state is State.PAUSED and job.until is not None}
        self._pauses = {
            job_id: known
            if (known := self._pauses.get(job_id)) is not None and known[0] == until
            else (until, steady + max(0.0, until - wall))
            for job_id, until in hours.items()
        }

    def is_due(self, job: Job) -> bool:
        """Whether a job may start as far as its pause is concerned."""
        if job.state is not State.PAUSED or job.until is None:
            return True
        _, passed_at = self._pauses.get(job.id, (job.until, float("inf")))
        return job.until <= self._clock.wall() or passed_at <= self._clock.steady()

    def next_in_seconds(self) -> float | None:
        """How long until the next paused job may be tried again; None when there is none."""
        wall, steady = self._clock.wall(), self._clock.steady()
        lefts = (min(until - wall, passed_at - steady) for until, passed_at in self._pauses.values())
        return min((max(0.0, left) for left in lefts), default=None)
