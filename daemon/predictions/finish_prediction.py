"""How a prediction ends: files to where people look for them, then the journal's last word, then the work folder goes.

Each may be repeated after a crash; the row is finished only after the renames.
"""

from __future__ import annotations

import dataclasses
import shutil

import structlog

from daemon.config import Settings
from daemon.errors import ResourceError
from daemon.host import disk_errors
from daemon.host.clock import Clock
from daemon.host.fault_guard import Guard
from daemon.jobs.finish_job import CANCELLED
from daemon.journal.journal import Journal
from daemon.journal.prediction_record import Prediction
from daemon.journal.work_folder import Workplace
from daemon.outbox import move_to_done_or_failed
from daemon.outbox.model_shelf import Shelf
from daemon.outbox.publish_prediction import publish_prediction
from daemon.predictions import taken_file
from daemon.processes.message_protocol import Failure, Result
from freeal.table.file_formats import data_stem

_log = structlog.get_logger(__name__)

OUTPUTS = {"csv": "output.csv", "parquet": "output.parquet"}
"""In the work folder, until it is published, by `predict.output`."""


class PredictionEndings:
    """Ends predictions. Its methods block on the disk: call them in a thread."""

    def __init__(self, settings: Settings, journal: Journal, clock: Clock) -> None:
        self._settings = settings
        self._journal = journal
        self._clock = clock

    def conclude_prediction(self, prediction: Prediction, answer: Result | Failure) -> ResourceError | None:
        """Publish what the process made, or set the input aside with the reason. A result that cannot be published is
        a failure too; where the machine is the trouble, that is returned: nothing has ended, and it is for later."""
        if isinstance(answer, Failure) and answer.passes:
            return ResourceError(str(answer.as_error()))
        if isinstance(answer, Result):
            with Guard("publishing a prediction", prediction=prediction.id) as guard:
                self._publish_prediction(prediction, answer)
            if guard.fault is not None:
                if guard.fault.passing is not None:
                    return guard.fault.passing
                answer = Failure.of_fault(guard.fault)
        if isinstance(answer, Failure):
            self._finish_without_result(prediction, answer, "failed")
            _log.error("a prediction has failed", prediction=prediction.id, problem=answer.problem, hint=answer.hint)
        return None

    def fail_prediction_in_place(self, prediction: Prediction, failure: Failure) -> None:
        """The last resort, where even setting the input aside is a fault: it stays in the work folder, and the journal
        says so."""
        inputs, shelf = Workplace(self._settings, prediction.id).inputs, Shelf(self._settings.models, prediction.model)
        hint = f"its file lies in {inputs}: move it to {shelf.folder / 'predict'} to have it labelled"
        report = move_to_done_or_failed.error_report_of(
            dataclasses.replace(failure, hint=hint), subject=prediction.id, now=self._clock.wall()
        )
        state = "cancelled" if failure.kind == CANCELLED else "failed"
        self._journal.finish_prediction(prediction.id, state=state, error=report)
        _log.error("a prediction has failed", prediction=prediction.id, problem=failure.problem, hint=hint)

    def cancel_prediction(self, prediction: Prediction) -> None:
        """The user's wish: the input goes to failed/, nothing is published."""
        self._finish_without_result(prediction, Failure(CANCELLED, "cancelled by the user"), "cancelled")
        _log.info("a prediction was cancelled", prediction=prediction.id)

    def _publish_prediction(self, prediction: Prediction, result: Result) -> None:
        place, shelf = self._places(prediction)
        stem = data_stem(prediction.csv_name)
        summary = result.content
        if (late := taken_file.written_since_taken(place.folder, place.inputs / prediction.csv_name)) is not None:
            _log.warning(late, prediction=prediction.id, file=prediction.csv_name)
            summary = summary | {"input_changed": late}
        # the settings may have changed since: what is there was made, or published before a crash
        made = next((path for name in OUTPUTS.values() if (path := place.folder / name).is_file()), None)
        labelled = made or place.folder / OUTPUTS[self._settings.predict.output]
        where = publish_prediction(shelf, labelled, summary, stem=stem, prediction_id=prediction.id)
        with disk_errors.waiting_for_folder("the result is published, but its input cannot be put in done/"):
            move_to_done_or_failed.move_to_done(place.inputs, shelf.folder / "done" / prediction.id)
        rows = result.content.get("rows")
        warnings = [str(warning) for warning in result.content.get("drift", {}).get("warnings", ())]
        self._journal.finish_prediction(
            prediction.id, state="done", rows=rows if isinstance(rows, int) else None, warnings="\n".join(warnings)
        )
        shutil.rmtree(place.folder, ignore_errors=True)
        _log.info("a CSV was labelled", prediction=prediction.id, rows=rows, file=str(where))
        for warning in warnings:
            _log.warning(warning, prediction=prediction.id)

    def _finish_without_result(self, prediction: Prediction, failure: Failure, state: str) -> None:
        """Finish a prediction that has no result: its input goes to failed/ with the reason."""
        place, shelf = self._places(prediction)
        report = move_to_done_or_failed.move_to_failed(
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
