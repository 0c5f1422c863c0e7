"""The predict lane: CSVs in models/*/predict are labelled by a warm process, beside whatever trains."""

from __future__ import annotations

import collections
import shutil
from collections.abc import Callable
from pathlib import PurePath

import anyio
import anyio.to_thread
import structlog

from daemon import clock
from daemon.clock import Clock
from daemon.config import Settings
from daemon.errors import ChangedFileError
from daemon.inbox import stability
from daemon.inbox.intake import csv_digest
from daemon.inbox.scanner import Drop
from daemon.jobs.journal import Journal
from daemon.jobs.prediction import Prediction
from daemon.jobs.workplace import Workplace
from daemon.outbox import archive, publish
from daemon.outbox.predictions import publish_prediction
from daemon.outbox.shelf import Shelf
from daemon.processes.protocol import Answer, Failure, Result
from daemon.processes.supervisor import Child, child, converse
from freeal.errors import FreealError, Where
from freeal.events import Event
from freeal.predict import PredictionJob

_log = structlog.get_logger(__name__)

MODULE = "daemon.processes.predict_worker"
IDLE_SECONDS = 300.0
"""How long the process stays warm without work."""
GRACE_SECONDS = 1.0
"""Predictions are cheap to repeat: nothing is worth waiting for."""


class PredictLane:
    """Takes dropped CSVs and sees them through."""

    def __init__(
        self,
        settings: Settings,
        journal: Journal,
        time: Clock,
        *,
        module: str = MODULE,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._module = module
        self._settings = settings
        self._journal = journal
        self._clock = time
        self._idle_seconds = idle_seconds
        self._queue: collections.deque[Prediction] = collections.deque()
        self._more = anyio.Event()
        self.pending = 0
        """Claimed and not yet finished."""

    def claim(self, drop: Drop) -> Prediction:
        """Write a dropped CSV down and take it. Blocks on the disk. Raises `ChangedFileError`, `OSError`."""
        source = Shelf(self._settings.models, drop.model).folder / "predict" / drop.name
        digest = csv_digest(source)
        if stability.look(source) != drop.sighting:
            raise ChangedFileError("changed while it was being taken", where=Where(file=source))
        now = self._clock.wall()
        wanted = f"predict-{drop.model}-{clock.stamp(now)}-{digest[:6]}"
        taken = {prediction.id for prediction in self._journal.predictions()}
        names = (wanted if number == 1 else f"{wanted}-{number}" for number in range(1, len(taken) + 2))
        found = next(name for name in names if name not in taken)
        prediction = Prediction(id=found, model=drop.model, csv_name=drop.name, created_at=now, updated_at=now)
        self._journal.add_prediction(prediction)
        try:
            publish.move(source, Workplace(self._settings, found).inputs / drop.name)
        except OSError:
            self._journal.forget_prediction(found)
            raise
        return prediction

    def submit(self, prediction: Prediction) -> None:
        """Queue a claimed prediction."""
        self.pending += 1
        self._queue.append(prediction)
        self._more.set()

    def recover(self) -> None:
        """Queue what a former daemon claimed and did not finish."""
        for prediction in self._journal.predictions():
            if prediction.state != "claimed":
                continue
            inputs = Workplace(self._settings, prediction.id).inputs
            shelf = Shelf(self._settings.models, prediction.model)
            if (inputs / prediction.csv_name).exists():
                self.submit(prediction)
            elif (shelf.folder / "done" / prediction.id / prediction.csv_name).exists():
                self._journal.finish_prediction(prediction.id, state="done")
            elif (shelf.folder / "failed" / prediction.id / prediction.csv_name).exists():
                self._journal.finish_prediction(prediction.id, state="failed")
            else:
                self._journal.forget_prediction(prediction.id)  # not taken yet: the scan finds it where it was dropped

    async def run(self, on_finished: Callable[[], None]) -> None:
        """Serve for ever. The process starts with the first request and ends when idle."""
        request: Prediction | None = None
        while True:
            request = request or await self._next()
            async with child(self._module) as process:
                _log.info("the predict process runs", pid=process.pid)
                while request is not None:
                    alive = await self._serve(process, request)
                    on_finished()
                    request = None
                    if alive:
                        with anyio.move_on_after(self._idle_seconds):
                            request = await self._next()

    async def _next(self) -> Prediction:
        while not self._queue:
            self._more = anyio.Event()
            await self._more.wait()
        return self._queue.popleft()

    async def _serve(self, process: Child, prediction: Prediction) -> bool:
        """One prediction to its end; whether the process can take another."""
        place = Workplace(self._settings, prediction.id)
        shelf = Shelf(self._settings.models, prediction.model)
        job = PredictionJob(
            model=shelf.model,
            input_csv=place.inputs / prediction.csv_name,
            output_csv=place.folder / "output.csv",
            settings=self._settings.predict,
        )
        answer = await converse(
            process,
            job.model_dump_json(),
            on_event=_ignore,
            stop=anyio.Event(),
            timeout_seconds=self._settings.jobs.timeout_hours * 3600,
            grace_seconds=GRACE_SECONDS,
        )
        alive = answer is not None
        if answer is None:
            code = await process.finish()
            answer = Failure.of(process.how_it_died(code))
            _log.error("the predict process died", problem=answer.problem, stderr=process.stderr_tail)
        await anyio.to_thread.run_sync(self._conclude, prediction, answer)
        self.pending -= 1
        return alive and not (isinstance(answer, Failure) and answer.kind == "ChildError")

    def _conclude(self, prediction: Prediction, answer: Answer) -> None:
        place = Workplace(self._settings, prediction.id)
        shelf = Shelf(self._settings.models, prediction.model)
        if isinstance(answer, Result):
            try:
                self._publish(prediction, answer, place, shelf)
                return
            except (OSError, FreealError) as error:
                answer = Failure(type(error).__name__, str(error))
        failure = answer if isinstance(answer, Failure) else Failure("Stopped", "stopped before its end")
        report = archive.to_failed(
            place.inputs,
            shelf.folder / "failed" / prediction.id,
            failure,
            subject=prediction.id,
            then=f"mend it and drop it in {shelf.folder / 'predict'} again",
            now=self._clock.wall(),
        )
        self._journal.finish_prediction(prediction.id, state="failed", error=report)
        shutil.rmtree(place.folder, ignore_errors=True)
        _log.error("a prediction has failed", prediction=prediction.id, problem=failure.problem, hint=failure.hint)

    def _publish(self, prediction: Prediction, result: Result, place: Workplace, shelf: Shelf) -> None:
        stem = PurePath(prediction.csv_name).stem
        output = place.folder / "output.csv"
        where = publish_prediction(shelf, output, result.content, stem=stem, prediction_id=prediction.id)
        archive.to_done(place.inputs, shelf.folder / "done" / prediction.id)
        rows = result.content.get("rows")
        self._journal.finish_prediction(prediction.id, state="done", rows=rows if isinstance(rows, int) else None)
        shutil.rmtree(place.folder, ignore_errors=True)
        _log.info("a CSV was labelled", prediction=prediction.id, rows=rows, file=str(where))


def _ignore(event: Event) -> None:
    """Progress of a prediction is not shown yet: its end is."""
