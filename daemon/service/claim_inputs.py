"""Takes what is ready: pairs become jobs, as corrections do; CSVs in predict folders become predictions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain, zip_longest

import anyio.to_thread
import structlog

from daemon.errors import ChangedFileError, RefusedFileError
from daemon.host.clock import Clock
from daemon.host.fault_guard import Guard
from daemon.inbox.claim_pair import Intake
from daemon.inbox.claim_retries import Refusals
from daemon.inbox.file_sightings import Sighting
from daemon.inbox.inbox_scan import Drop, Scan
from daemon.inbox.pairing import Pair
from daemon.jobs.finish_job import Endings
from daemon.journal.job_ids import CORRECTIONS
from daemon.journal.job_record import Job
from daemon.predictions.predict_lane import PredictLane
from daemon.processes.message_protocol import Failure

_log = structlog.get_logger(__name__)

TURN_SECONDS = 1.0
"""So long one turn takes files, then jobs are started and requests obeyed: a thousand pairs dropped at once must not
keep the first of them waiting, nor a `cancel`."""


class Claims:
    """Remembers what could not be taken."""

    def __init__(
        self,
        *,
        intake: Intake,
        endings: Endings,
        lane: PredictLane,
        clock: Clock,
        on_failed: Callable[[Job], object],
    ) -> None:
        """`on_failed` hears of each job that ended with its claim: its spec could not be used."""
        self._intake, self._endings, self._lane, self._clock = intake, endings, lane, clock
        self._on_failed = on_failed
        self.refusals = Refusals()
        self.has_more = False
        """Whether the last turn was over before everything was taken."""

    async def claim_ready(self, scan: Scan, *, goes_on: Callable[[], bool]) -> bool:
        """Claim what is ready, for a while; whether something moved on meanwhile and must be looked at again soon.

        `goes_on` is asked before each file: a service that was told to stop takes no more.
        """
        changed, self.has_more = False, False
        end = self._clock.steady() + TURN_SECONDS
        ready = in_turns(scan.drops, scan.pairs.ready)
        self.refusals.keep({_identity(entry, scan)[0] for entry in ready})
        for entry in ready:
            name, sighting = _identity(entry, scan)
            if self.refusals.holds(name, sighting, now=self._clock.steady()):
                continue
            if not goes_on() or self._clock.steady() > end:
                self.has_more = True
                break
            changed = await self._try_to_claim(entry, scan, name=name, sighting=sighting) or changed
        return changed

    async def _try_to_claim(self, entry: Pair | Drop, scan: Scan, *, name: str, sighting: Sighting) -> bool:
        with Guard("taking a file", file=name) as guard:
            try:
                await self._claim_one(entry, scan)
                self.refusals.forget(name)
            except ChangedFileError as problem:
                _log.info("a file is still changing", problem=str(problem))
                return True
            except (FileNotFoundError, RefusedFileError) as problem:
                _log.info("a file went away while it was being taken", file=name, problem=str(problem))
                return True  # the next look finds it gone, or sees what stands in its place
        if guard.fault is not None:
            reason = guard.fault.error.problem
            refusal = self.refusals.note_refusal(name, sighting, reason, now=self._clock.steady())
            if refusal.tries == 1:
                _log.error("a file cannot be taken; it is tried again", file=name, problem=str(guard.fault.error))
        return False

    async def _claim_one(self, entry: Pair | Drop, scan: Scan) -> None:
        if isinstance(entry, Drop) and entry.lane == CORRECTIONS:
            job = await anyio.to_thread.run_sync(self._intake.claim_corrections, entry)
            _log.info("corrections were claimed", job=job.id, csv=job.csv_name)
            return
        if isinstance(entry, Drop):
            self._lane.submit(await anyio.to_thread.run_sync(self._lane.claim, entry))
            return
        job, error = await anyio.to_thread.run_sync(self._intake.claim_pair, entry, scan.observations)
        _log.info("a job was claimed", job=job.id, csv=job.csv_name, spec=job.spec_name)
        if error is not None:
            _log.error("a spec cannot be used", job=job.id, problem=str(error))
            self._on_failed(await anyio.to_thread.run_sync(self._endings.fail_job, job, Failure.of(error)))


def in_turns(drops: Sequence[Drop], pairs: Sequence[Pair]) -> list[Pair | Drop]:
    """What is ready, in the order of taking: a CSV to label first, because somebody waits for it, then by turns, so
    that three thousand of one kind do not keep the first of the other waiting."""
    both = chain.from_iterable(zip_longest(drops, pairs))
    return [one for one in both if one is not None]


def _identity(entry: Pair | Drop, scan: Scan) -> tuple[str, Sighting]:
    if isinstance(entry, Drop):
        return entry.label, entry.sighting
    return entry.csv, scan.observations[entry.csv].sighting
