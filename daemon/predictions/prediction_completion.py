"""How a prediction ends: files to where people look for them, then the journal's last word, then the work folder goes.

Each may be repeated after a crash; the row is finished only after the renames.
"""

from __future__ import annotations

import shutil

import structlog

from daemon.config import Settings
from daemon.errors import DiskError, JournalError
from daemon.host import disk_errors
from daemon.host.clock import Clock
from daemon.jobs.job_completion import CANCELLED
from daemon.journal.journal import Journal
from daemon.journal.prediction_record import Prediction
from daemon.journal.work_folder import Workplace
from daemon.outbox import archive_inputs
from daemon.outbox.model_shelf import Shelf
from daemon.outbox.publish_prediction import publish_prediction
from daemon.processes.message_protocol import Failure, Result
from freeal.errors import FreealError
from freeal.table.file_formats import data_stem

_log = structlog.get_logger(__name__)

OUTPUT = "output.csv"
"""In the work folder, until it is published."""


class PredictionEndings:
    """Ends predictions. Its methods block on the disk: call them in a thread."""

    def __init__(self, settings: Settings, journal: Journal, clock: Clock) -> None:
        self._settings = settings
        self._journal = journal
        self._clock = clock

    def conclude(self, prediction: Prediction, answer: Result | Failure) -> DiskError | None:
        """Publish what the process made, or set the input aside with the reason. A result that cannot be published is
        a failure too; but where a disk is the trouble, that is returned: nothing has ended, and it is for later."""
        if isinstance(answer, Failure) and answer.kind == DiskError.__name__:
            return DiskError(answer.problem)
        try:
            self._put_away(prediction, answer)
        except (OSError, DiskError) as error:
            return disk_errors.trouble_of(error) or DiskError(f"it cannot be put aside: {error}")
        return None

    def _put_away(self, prediction: Prediction, answer: Result | Failure) -> None:
        if isinstance(answer, Result):
            try:
                self._publish(prediction, answer)
            except (OSError, FreealError) as error:
                if disk_errors.trouble_of(error) or isinstance(error, JournalError):
                    raise
                answer = Failure.of(error) if isinstance(error, FreealError) else Failure("OSError", str(error))
        if isinstance(answer, Failure):
            self._set_aside(prediction, answer, "failed")
            _log.error("a prediction has failed", prediction=prediction.id, problem=answer.problem, hint=answer.hint)

    def cancel(self, prediction: Prediction) -> None:
        """The user's wish: the input goes to failed/, nothing is published."""
        self._set_aside(prediction, Failure(CANCELLED, "cancelled by the user"), "cancelled")
        _log.info("a prediction was cancelled", prediction=prediction.id)

    def _publish(self, prediction: Prediction, result: Result) -> None:
        place, shelf = self._places(prediction)
        stem = data_stem(prediction.csv_name)
        where = publish_prediction(shelf, place.folder / OUTPUT, result.content, stem=stem, prediction_id=prediction.id)
        archive_inputs.to_done(place.inputs, shelf.folder / "done" / prediction.id)
        rows = result.content.get("rows")
        warnings = [str(warning) for warning in result.content.get("drift", {}).get("warnings", ())]
        self._journal.finish_prediction(
            prediction.id, state="done", rows=rows if isinstance(rows, int) else None, warnings="\n".join(warnings)
        )
        shutil.rmtree(place.folder, ignore_errors=True)
        _log.info("a CSV was labelled", prediction=prediction.id, rows=rows, file=str(where))
        for warning in warnings:
            _log.warning(warning, prediction=prediction.id)

    def _set_aside(self, prediction: Prediction, failure: Failure, state: str) -> None:
        place, shelf = self._places(prediction)
        report = archive_inputs.to_failed(
            place.inputs,
            shelf.folder / "failed" / prediction.id,
            failure,
            subject=prediction.id,
            then=f"mend it and drop it in {shelf.folder / 'predict'} again",
            now=self._clock.wall(),
        )
        self._journal.finish_prediction(prediction.id, state=state, error=report)
        shutil.rmtree(place.folder, ignore_errors=True)

    def _places(self, prediction: Prediction) -> tuple[Workplace, Shelf]:
        return Workplace(self._settings, prediction.id), Shelf(self._settings.models, prediction.model)
