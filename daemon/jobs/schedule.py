"""Which job starts next. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from daemon.jobs.job import RUNNING, Job, State


def next_jobs(
    jobs: Sequence[Job],
    *,
    running: Collection[str],
    parallel: int,
    last_started: Mapping[str, float],
    now: float,
) -> list[Job]:
    """The jobs to start now, at most `parallel` less those `running`.

    Jobs of one model run one after the other, oldest first. Among the models, the one that has not had a turn for the
    longest time (`last_started`: model name -> seconds) is first, so a full folder for one model cannot starve another.
    """
    free = parallel - len(running)
    if free <= 0:
        return []
    busy = {job.name for job in jobs if job.id in running}
    heads: dict[str, Job] = {}
    for job in sorted(jobs, key=lambda job: (job.created_at, job.id)):
        if job.id not in running and (job.state in {State.CLAIMED, State.PAUSED} or job.state in RUNNING):
            heads.setdefault(job.name, job)
    due = [job for name, job in heads.items() if name not in busy and _is_due(job, now)]
    due.sort(key=lambda job: (last_started.get(job.name, float("-inf")), job.created_at, job.id))
    return due[:free]


def _is_due(job: Job, now: float) -> bool:
    return job.state is not State.PAUSED or job.until is None or job.until <= now


def wakes_at(jobs: Sequence[Job]) -> float | None:
    """When (seconds since 1970) the next paused job may be tried again; None when there is none."""
    return min((job.until for job in jobs if job.state is State.PAUSED and job.until is not None), default=None)
