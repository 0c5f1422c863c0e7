"""The predict lane: CSVs in models/*/predict are labelled by a warm process, beside whatever trains.

A prediction is worked on in slices of some seconds: a huge file does not keep a tiny one waiting, a stop waits for no
more than the end of a window of rows, and what was written is gone on with after any kind of end.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import anyio
import anyio.to_thread
import structlog

from daemon.config import Settings
from daemon.errors import ChangedFileError, ChildError
from daemon.host import clock, disk_errors, free_disk
from daemon.host.clock import Clock
from daemon.inbox import file_stability
from daemon.inbox.claim_file import take
from daemon.inbox.claim_pair import csv_digest
from daemon.inbox.folder_scan import Drop
from daemon.jobs.cancel_and_retry import CANCEL
from daemon.journal.journal import Journal
from daemon.journal.prediction_record import Prediction
from daemon.journal.work_folder import Workplace
from daemon.outbox.model_shelf import Shelf
from daemon.predictions.lane_rotation import Rotation
from daemon.predictions.prediction_completion import OUTPUT, PredictionEndings
from daemon.predictions.prediction_progress import Pace
from daemon.processes.message_protocol import Answer, Failure, Stopped
from daemon.processes.prediction_slice import Slice
from daemon.processes.process_supervisor import Child, child, converse
from daemon.terminal.progress_view import LogView, View
from freeal.errors import Where
from freeal.settings import PredictSettings

_log = structlog.get_logger(__name__)

MODULE = "daemon.processes.predict_worker"
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
        idle_seconds: float = IDLE_SECONDS,
        slice_seconds: float = SLICE_SECONDS,
    ) -> None:
        self._settings, self._journal, self._clock = settings, journal, time
        self._view = view or LogView()
        self._module = module
        self._idle_seconds, self._slice_seconds = idle_seconds, slice_seconds
        self._endings = PredictionEndings(settings, journal, time)
        self._rotation = Rotation()
        self._paces: dict[str, Pace] = {}
        self._more = anyio.Event()
        self._stop = anyio.Event()
        self.is_working = False
        """Whether the process is at a slice."""

    @property
    def pending(self) -> int:
        """Claimed, not yet finished, and not waiting for a disk."""
        return len(self._rotation) + self.is_working

    @property
    def resting(self) -> int:
        """Predictions that wait for a disk with room."""
        return self._rotation.resting

    def adopt(self, settings: Settings) -> None:
        """Go on with other settings."""
        self._settings = settings

    def claim(self, drop: Drop) -> Prediction:
        """Write a dropped CSV down and take it. Blocks on the disk. Raises `ChangedFileError`, `OSError`."""
        source = Shelf(self._settings.models, drop.model).folder / "predict" / drop.name
        digest = csv_digest(source)
        if file_stability.look(source) != drop.sighting:
            raise ChangedFileError("changed while it was being taken", where=Where(file=source))
        now = self._clock.wall()
        wanted = f"predict-{drop.model}-{clock.stamp(now)}-{digest[:6]}"
        number, found = 2, wanted
        while self._journal.has_prediction(found):
            found, number = f"{wanted}-{number}", number + 1
        prediction = Prediction(id=found, model=drop.model, csv_name=drop.name, created_at=now, updated_at=now)
        self._journal.add_prediction(prediction)
        try:
            take(source, Workplace(self._settings, found).inputs / drop.name, drop.sighting)
        except (OSError, ChangedFileError):
            self._journal.forget_prediction(found)
            raise
        return prediction

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

    async def cancel(self, prediction_id: str) -> bool:
        """Give up one that waits for its turn; False when it is not among them."""
        prediction = self._rotation.take_out(prediction_id)
        if prediction is None:
            return False
        await anyio.to_thread.run_sync(self._endings.cancel, prediction)
        self._is_over(prediction)
        return True

    async def run(self, on_finished: Callable[[], None]) -> None:
        """Serve until stopped. The process starts with the first request and ends when idle."""
        while (prediction := await self._next()) is not None:
            async with child(self._module) as process:
                _log.info("the predict process runs", pid=process.pid)
                alive = True
                while alive and prediction is not None:
                    self.is_working = True
                    try:
                        alive = await self._turn(process, prediction)
                    finally:
                        self.is_working = False
                    on_finished()
                    prediction = None
                    if alive:
                        with anyio.move_on_after(self._idle_seconds):
                            prediction = await self._next()

    async def _next(self) -> Prediction | None:
        """Whose slice it is, as soon as there is somebody; None when stopped."""
        while not self._stop.is_set():
            for asked in self._journal.claimed_predictions():
                if asked.request == CANCEL:
                    await self.cancel(asked.id)
            self._rotation.wake(self._clock.steady())
            if len(self._rotation):
                return self._rotation.next()
            self._more = anyio.Event()
            with anyio.move_on_after(self._rotation.wakes_at - self._clock.steady()):
                await self._more.wait()
        return None

    async def _turn(self, process: Child, prediction: Prediction) -> bool:
        """One slice of a prediction; whether the process can take another."""
        if reason := await anyio.to_thread.run_sync(free_disk.lack_of_room, self._settings):
            _log.warning("a prediction waits for a disk", prediction=prediction.id, problem=reason)
            self._rotation.rest(prediction, until=self._clock.steady() + disk_errors.RETRY_SECONDS)
            return not self._stop.is_set()
        prediction = self._with_version(prediction)
        pace = self._paces.get(prediction.id) or Pace(
            prediction, journal=self._journal, clock=self._clock, view=self._view
        )
        self._paces[prediction.id] = pace
        answer = await converse(
            process,
            self._slice(prediction).model_dump_json(),
            on_event=pace.on_event,
            stop=self._stop,
            silence_seconds=self._settings.jobs.stall_minutes * 60,
            grace_seconds=GRACE_SECONDS,
        )
        pace.flush()
        alive = answer is not None and not (isinstance(answer, Failure) and answer.kind == ChildError.__name__)
        ending = answer if answer is not None else await self._death(process, prediction)
        if isinstance(ending, Stopped):
            self._rotation.again(prediction)
        elif ending is not None:
            trouble = await anyio.to_thread.run_sync(self._endings.conclude, prediction, ending)
            if trouble is None:
                self._is_over(prediction)
            else:
                _log.warning("a prediction waits for a disk", prediction=prediction.id, problem=str(trouble))
                self._rotation.rest(prediction, until=self._clock.steady() + disk_errors.RETRY_SECONDS)
        return alive and not self._stop.is_set()

    async def _death(self, process: Child, prediction: Prediction) -> Answer | None:
        """What a process that ended without an answer means for its prediction; None when it is tried again."""
        code = await process.finish()
        if self._stop.is_set():
            return Stopped()
        error = process.how_it_died(code)
        _log.error("the predict process died", problem=error.problem, stderr=process.stderr_tail)
        if process.was_killed(code) and self._rotation.halve(prediction):
            _log.warning("it goes on with half the batch size", prediction=prediction.id)
            return None
        return Failure.of(error)

    def _with_version(self, prediction: Prediction) -> Prediction:
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

    def _slice(self, prediction: Prediction) -> Slice:
        place = Workplace(self._settings, prediction.id)
        shelf = Shelf(self._settings.models, prediction.model)
        divisor = self._rotation.divisor(prediction.id)
        settings: PredictSettings = self._settings.predict
        smaller = {
            "batch_size": max(1, settings.batch_size // divisor),
            "chunk_rows": max(1, settings.chunk_rows // divisor),
        }
        return Slice(
            model=shelf.version(prediction.version) / "model" if prediction.version else shelf.model,
            input_csv=place.inputs / prediction.csv_name,
            output_csv=place.folder / OUTPUT,
            settings=settings.model_copy(update=smaller),
            slice_seconds=self._slice_seconds,
        )

    def _is_over(self, prediction: Prediction) -> None:
        self._rotation.forget(prediction.id)
        self._paces.pop(prediction.id, None)
        self._view.predicted(prediction)
