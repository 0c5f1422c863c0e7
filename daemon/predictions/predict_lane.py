"""The predict lane: CSVs in models/*/predict are labelled by a warm process, beside whatever trains.

A prediction is worked on in slices of some seconds: a huge file does not keep a tiny one waiting, a stop waits for no
more than the end of a window of rows, and what was written is gone on with after any kind of end.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import anyio
import anyio.to_thread
import structlog

from daemon.config import Settings
from daemon.errors import ChildError, ResourceError
from daemon.host import disk_errors, free_disk
from daemon.host.clock import Clock
from daemon.host.fault_guard import Fault, Guard
from daemon.inbox.inbox_scan import PREDICT, Drop
from daemon.inbox.pairing import Waiting
from daemon.jobs.finish_job import CANCELLED
from daemon.journal.journal import Journal
from daemon.journal.prediction_record import Prediction
from daemon.outbox.model_shelf import Shelf
from daemon.predictions import claim_csv
from daemon.predictions.asking_leave import AskingLeave
from daemon.predictions.cancel_requests import LOOK_SECONDS, CancelRequests
from daemon.predictions.finish_prediction import PredictionEndings
from daemon.predictions.lane_rotation import Rotation
from daemon.predictions.prediction_progress import Pace
from daemon.predictions.slice_request import slice_request
from daemon.processes.message_protocol import Answer, Failure, Result, Stopped
from daemon.processes.process_supervisor import Child, child, converse
from daemon.terminal.progress_log import LogView, View
from freeal.llm.credentials import environment_for

_log = structlog.get_logger(__name__)

MODULE = "daemon.processes.entry_points.predict_worker"
IDLE_SECONDS = 300.0
"""How long the process stays warm without work."""
SLICE_SECONDS = 15.0
GRACE_SECONDS = 20.0
"""After a stop, for the window under way; a kill loses no more than that window."""


class PredictLane:
    """Takes dropped CSVs and sees them through."""

    def __init__(
        self,
        settings: Settings,
        journal: Journal,
        time: Clock,
        view: View | None = None,
        *,
        module: str = MODULE,
        key_folder: Path = Path(),
        idle_seconds: float = IDLE_SECONDS,
        slice_seconds: float = SLICE_SECONDS,
    ) -> None:
        self._settings, self._journal, self._clock = settings, journal, time
        self._view = view or LogView()
        self._module = module
        self._idle_seconds, self._slice_seconds = idle_seconds, slice_seconds
        self._endings = PredictionEndings(settings, journal, time)
        self._rotation = Rotation()
        self._asking = AskingLeave(journal, time, key_folder=key_folder)
        self._paces: dict[str, Pace] = {}
        self._more = anyio.Event()
        self._stop = anyio.Event()
        self._current: Prediction | None = None
        self._cancels = CancelRequests(journal, time)
        self._told = ""

    @property
    def is_working(self) -> bool:
        """Whether a prediction has its slice, or its process is being started for it."""
        return self._current is not None

    @property
    def pending(self) -> int:
        """Claimed, not yet finished, and not waiting for a disk."""
        return len(self._rotation) + self.is_working

    @property
    def resting(self) -> int:
        """Predictions that wait for what the machine lacks."""
        return self._rotation.resting

    def waiting(self) -> tuple[Waiting, ...]:
        """Each of these as people are told of it, with the reason."""
        return tuple(
            Waiting(f"{one.model}/{PREDICT}/{one.csv_name}", f"is taken and waits: {reason}")
            for one, reason in self._rotation.waiting()
        )

    def adopt(self, settings: Settings) -> None:
        """Go on with other settings."""
        self._settings = settings

    def claim(self, drop: Drop) -> Prediction:
        """Write a dropped CSV down and take it. Blocks on the disk. Raises `ChangedFileError`, `OSError`."""
        return claim_csv.claim_csv(drop, self._settings, journal=self._journal, time=self._clock)

    def submit(self, prediction: Prediction) -> None:
        """Queue a claimed prediction."""
        self._rotation.add(prediction)
        self._more.set()

    def recover(self) -> None:
        """Queue what a former daemon claimed and did not finish; `Recovery` has settled what was at its end."""
        for prediction in self._journal.claimed_predictions():
            self.submit(prediction)

    def stop(self) -> None:
        """Come to an end soon, where the work can be gone on with; `run` returns then."""
        self._stop.set()
        self._more.set()

    async def cancel_waiting(self, prediction_id: str) -> bool:
        """Give up one that waits for its turn; False when it is not among them. Where its input cannot be set aside it
        waits, and is tried again."""
        prediction = self._rotation.take_out_of_rotation(prediction_id)
        if prediction is None:
            return False
        with Guard("cancelling a prediction", prediction=prediction_id) as guard:
            await anyio.to_thread.run_sync(self._endings.cancel_prediction, prediction)
        if guard.fault is None:
            self._forget_prediction(prediction)
        else:
            self._cancels.note_tried(prediction_id)
            await self._rest_or_fail_in_place(prediction, Failure(CANCELLED, "cancelled by the user"), guard.fault)
        return True

    async def run(self, on_finished: Callable[[], None]) -> None:
        """Serve until stopped. The process starts with the first request and ends when idle. Whatever happens to one
        prediction, the others have their turns, with another process."""
        while not self._stop.is_set():
            with Guard("the predict lane") as guard:
                self._current = self._current or await self._next_prediction()
                if self._current is not None:
                    provider = await self._provider_asked(self._current)
                    async with child(self._module, environment=environment_for(provider, os.environ)) as process:
                        _log.info("the predict process runs", pid=process.pid)
                        await self._serve_slices(process, provider, on_finished)
            if guard.fault is None:
                continue
            if (prediction := self._current) is not None:
                await self._after_fault_of_lane(prediction, guard.fault)
                self._current = None
                on_finished()
            else:  # nobody's own fault: the journal cannot be asked, most likely
                _log.warning("the predict lane waits", problem=str(guard.fault.error))
                with anyio.move_on_after(LOOK_SECONDS):
                    await self._stop.wait()

    async def _provider_asked(self, prediction: Prediction) -> str | None:
        """The provider whose key its process needs, for rows below a promise."""
        return await anyio.to_thread.run_sync(self._asking.provider_asked_about, prediction, self._settings)

    async def _serve_slices(self, process: Child, provider: str | None, on_finished: Callable[[], None]) -> None:
        """Turns of one process, until it ends, is idle for long, lacks the next one's key, or there is a stop."""
        alive = True
        while alive and self._current is not None and await self._provider_asked(self._current) in {None, provider}:
            alive = await self._run_slice(process, self._current)
            self._current = None
            on_finished()
            if alive:
                with anyio.move_on_after(self._idle_seconds):
                    self._current = await self._next_prediction()

    async def _next_prediction(self) -> Prediction | None:
        """Whose slice it is, as soon as there is somebody; None when stopped."""
        while not self._stop.is_set():
            self._rotation.wake_rested(self._clock.steady())
            await self._obey_cancels()
            if len(self._rotation):
                return self._rotation.next()
            self._more = anyio.Event()
            until = self._rotation.wakes_at - self._clock.steady()
            with anyio.move_on_after(min(until, LOOK_SECONDS) if self.resting else until):
                await self._more.wait()
        return None

    async def _obey_cancels(self) -> None:
        resting = {prediction.id for prediction, _ in self._rotation.waiting()}
        for prediction_id in await self._cancels.due_to_cancel(resting):
            await self.cancel_waiting(prediction_id)

    async def _after_fault_of_lane(self, prediction: Prediction, fault: Fault) -> None:
        """What a fault of the daemon's own leaves: one that waits where the machine is to blame, else a failed one."""
        if fault.passing is not None:
            self._rest_prediction(prediction, fault.passing)
        else:
            await self._conclude_prediction(prediction, Failure.of_fault(fault))

    async def _conclude_prediction(self, prediction: Prediction, answer: Result | Failure) -> None:
        with Guard("ending a prediction", prediction=prediction.id) as guard:
            trouble = await anyio.to_thread.run_sync(self._endings.conclude_prediction, prediction, answer)
        if guard.fault is not None:
            await self._rest_or_fail_in_place(prediction, answer, guard.fault)
        elif trouble is not None:
            self._rest_prediction(prediction, trouble)
        else:
            self._forget_prediction(prediction)

    async def _rest_or_fail_in_place(self, prediction: Prediction, answer: Result | Failure, fault: Fault) -> None:
        """It can be neither published nor set aside: it waits while somebody can mend that, else it is closed where it
        lies."""
        if fault.is_ours:
            failure = answer if isinstance(answer, Failure) else Failure.of_fault(fault)
            with Guard("closing a prediction", prediction=prediction.id) as guard:
                await anyio.to_thread.run_sync(self._endings.fail_prediction_in_place, prediction, failure)
            if guard.fault is None:
                self._forget_prediction(prediction)
                return
        self._rest_prediction(prediction, fault.passing or ResourceError(f"it cannot be put aside: {fault.error}"))

    def _rest_prediction(self, prediction: Prediction, trouble: ResourceError) -> None:
        if self._told != str(trouble):  # not a line for each of ten thousand
            self._told = str(trouble)
            _log.warning("a prediction waits for the machine", prediction=prediction.id, problem=str(trouble))
        until = self._clock.steady() + disk_errors.RETRY_SECONDS
        self._rotation.rest(prediction, until=until, reason=str(trouble))
        self._more.set()

    async def _run_slice(self, process: Child, prediction: Prediction) -> bool:
        """One slice of a prediction; whether the process can take another."""
        if obstacle := free_disk.lack_of_free_disk(self._settings):
            self._rest_prediction(prediction, ResourceError(obstacle))
            return True
        prediction = self._with_model_version(prediction)
        pace = self._paces.get(prediction.id) or Pace(
            prediction, journal=self._journal, clock=self._clock, view=self._view
        )
        self._paces[prediction.id] = pace
        ask = await anyio.to_thread.run_sync(self._asking.leave_to_ask, prediction, self._settings)
        answer = await converse(
            process,
            slice_request(
                prediction,
                self._settings,
                divisor=self._rotation.divisor(prediction.id),
                slice_seconds=self._slice_seconds,
                ask=ask,
            ).model_dump_json(),
            on_event=pace.on_event,
            stop=self._stop,
            silence_seconds=self._settings.jobs.stall_minutes * 60,
            grace_seconds=GRACE_SECONDS,
        )
        pace.flush_progress()
        await anyio.to_thread.run_sync(self._asking.book, prediction.id, self._settings)
        alive = answer is not None and not (isinstance(answer, Failure) and answer.kind == ChildError.__name__)
        ending = answer if answer is not None else await self._process_death(process, prediction)
        if isinstance(ending, Stopped):
            self._rotation.again(prediction)
        elif ending is not None:
            await self._conclude_prediction(prediction, ending)
        return alive and not self._stop.is_set()

    async def _process_death(self, process: Child, prediction: Prediction) -> Answer | None:
        """What a process that ended without an answer means for its prediction; None when it is tried again."""
        code = await process.finish_process()
        if self._stop.is_set():
            return Stopped()
        error = process.how_it_died(code)
        _log.error("the predict process died", problem=error.problem, stderr=process.stderr_tail)
        if process.was_killed(code) and self._rotation.halve_batches(prediction):
            _log.warning("it goes on with half the batch size", prediction=prediction.id)
            return None
        return Failure.of(error)

    def _with_model_version(self, prediction: Prediction) -> Prediction:
        """A prediction stays with the model version it began with, while that is there."""
        shelf = Shelf(self._settings.models, prediction.model)
        if prediction.version and shelf.version(prediction.version).is_dir():
            return prediction
        if prediction.version:
            _log.warning(
                "its model version is gone: a prediction begins anew with the current one",
                prediction=prediction.id,
                version=prediction.version,
            )
        version = shelf.current or ""
        self._journal.note_prediction(prediction.id, version=version)
        return dataclasses.replace(prediction, version=version)

    def _forget_prediction(self, prediction: Prediction) -> None:
        self._rotation.forget(prediction.id)
        with Guard("giving back what a prediction did not spend", prediction=prediction.id):
            self._asking.over(prediction.id, self._settings)
        self._paces.pop(prediction.id, None)
        with Guard("showing a prediction's end", prediction=prediction.id):
            self._view.predicted(prediction)
