"""Requests are carried out beside everything else: a provider that hangs holds up its own request alone."""

from __future__ import annotations

import anyio
import pytest

from daemon.jobs.cancel_and_retry import CANCEL, Requests, write_request
from daemon.jobs.finish_job import Endings
from daemon.journal.job_record import Job, State
from daemon.service.fault_register import FaultRegister
from daemon.service.request_tasks import RequestDesk


class Provider:
    """What cancels batches; it answers once `hangs` is set."""

    def __init__(self):
        self.asked = []
        self.is_asked, self.hangs = anyio.Event(), anyio.Event()

    async def cancel_batches(self, job):
        self.asked.append(job.id)
        self.is_asked.set()
        if job.id == "slow":
            await self.hangs.wait()
        return []


def _claimed(journal, name):
    journal.add(Job(id=name, name=name, key="", csv_name="x.csv", spec_name="x.yaml", created_at=1.0, updated_at=1.0))
    write_request(journal, name, CANCEL)


@pytest.mark.timeout(60)
def test_a_cancel_at_a_provider_that_hangs_keeps_nobody_waiting(settings, journal, hands):
    """`start_requests` returns at once, another request is carried out meanwhile, and the first is not begun a second
    time; its job is not started meanwhile."""

    async def run():
        provider, carried_out, told = Provider(), anyio.Event(), []
        endings = Endings(settings, journal, hands.clock, batches=provider)
        desk = RequestDesk(
            journal=journal,
            requests=Requests(settings, journal, intake=_Settled(), endings=endings),
            faults=FaultRegister(),
            clock=hands.clock,
            wake=carried_out.set,
            announce=told.append,
        )
        async with anyio.create_task_group() as tasks:
            _claimed(journal, "slow")
            await desk.start_requests(tasks, {})
            await provider.is_asked.wait()
            _claimed(journal, "quick")
            await desk.start_requests(tasks, {})
            await carried_out.wait()
            assert (State.CANCELLED, {"slow"}) == (journal.job("quick").state, desk.under_way)
            assert not desk.has_new_requests({})
            provider.hangs.set()
        assert ["slow", "quick"] == provider.asked
        assert (State.CANCELLED, set()) == (journal.job("slow").state, desk.under_way)
        assert [("quick", State.CANCELLED), ("slow", State.CANCELLED)] == [(job.id, job.state) for job in told]

    anyio.run(run)


class _Settled:
    """An intake whose claims are all settled."""

    def settle_claim(self, job):
        pass
