"""Which jobs start, each in a task of its own (daemon/service/job_tasks.py)."""

from __future__ import annotations

import types

import anyio
import pytest

from daemon.jobs.resource_pause import Standstill
from daemon.journal.job_record import Job, State
from daemon.service.fault_register import FaultRegister
from daemon.service.job_tasks import JobTasks

JOB = Job(id="m-1", name="m", key="k", csv_name="a.csv", spec_name="a.yaml", created_at=1.0, updated_at=1.0)


class Pausing:
    """Runs a job until its account has no money, for an hour."""

    def __init__(self, journal, clock):
        self.standstill = Standstill(journal, clock)
        self.lanes = types.SimpleNamespace(idle=())
        self.runs = 0
        self._journal, self._clock = journal, clock

    async def run(self, job, stop, *, is_cancelled):
        assert (False, False) == (stop.is_set(), is_cancelled())
        self.runs += 1
        self._journal.move(job.id, State.TRAINING)
        await anyio.lowlevel.checkpoint()
        return self._journal.move(job.id, State.PAUSED, reason="no money", until=self._clock.wall() + 3600.0)


@pytest.fixture
def pausing(journal, hands):
    """Its journal holds a job to run."""
    journal.add(JOB)
    return Pausing(journal, hands.clock)


@pytest.fixture
def jobs(settings, journal, hands, pausing):
    """Jobs that are run by it."""
    return JobTasks(
        settings,
        runner=pausing,
        requests=types.SimpleNamespace(is_cancelled=lambda job_id: False),
        journal=journal,
        faults=FaultRegister(),
        clock=hands.clock,
        wake=lambda: None,
        announce=lambda job: None,
        keeps_outcomes=True,
    )


async def _turn(jobs):
    async with anyio.create_task_group() as tasks:
        jobs.start_due_jobs(tasks, busy=())


def test_a_run_that_was_paused_goes_on_at_its_hour_and_not_before(jobs, pausing, hands):
    """However often and soon the service looks again."""

    async def serve():
        async with anyio.create_task_group() as tasks:
            jobs.start_due_jobs(tasks, busy=())
            while jobs.running:
                jobs.start_due_jobs(tasks, busy=())
                await anyio.lowlevel.checkpoint()
            jobs.start_due_jobs(tasks, busy=())

    anyio.run(serve)
    assert (1, State.PAUSED) == (pausing.runs, jobs.outcomes["m-1"].state)
    hands.pass_by(3600.0)
    anyio.run(_turn, jobs)
    assert 2 == pausing.runs
