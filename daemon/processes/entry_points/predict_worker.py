"""Entry point of the predict lane's process: `python -m daemon.processes.entry_points.predict_worker`.

One Slice as JSON per line of stdin, one answer per line. It stays warm between them, because importing torch and
loading a model take longer than most predictions, and what is unfinished stays open. Ends with stdin, or with SIGTERM
at the end of a window.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import OrderedDict
from pathlib import Path
from types import FrameType

from daemon.processes.child_channel import Channel, failure_of
from daemon.processes.message_protocol import Answer, Result, Stopped
from daemon.processes.prediction_slice import Slice
from freeal.errors import CorruptModelError, Where
from freeal.events import Emit
from freeal.job.ask_below_promise import BelowPromise
from freeal.prediction.predict_csv import Classifier
from freeal.prediction.prediction_run import PredictionRun
from freeal.prediction.run_by_engine import open_run
from freeal.prediction.sharded.sharded_run import ShardedRun
from freeal.settings import PredictSettings
from freeal.table.file_formats import form_of
from freeal.table.workbook_writer import write_workbook

MODELS_KEPT = 2
RUNS_KEPT = 8
"""Unfinished predictions held open; one beyond that is opened anew when its turn comes, after the rows it has."""


class Models:
    """The classifiers used last. A model is loaded anew when its folder is another one than before (a new version)."""

    def __init__(self, kept: int = MODELS_KEPT) -> None:
        self._kept = kept
        self._loaded: OrderedDict[tuple[str, int, int], Classifier] = OrderedDict()

    def kept_classifier(self, folder: Path, settings: PredictSettings) -> Classifier:
        """The classifier of a model folder, one of the few the predict worker keeps loaded. Raises
        `ModelFolderError`."""
        if not folder.is_dir():
            raise CorruptModelError("is not there", where=Where(file=folder), hint="train the model again")
        folder = folder.resolve()
        key = (os.fspath(folder), folder.stat().st_mtime_ns, settings.batch_size)
        if key not in self._loaded:
            while len(self._loaded) >= self._kept:
                self._loaded.popitem(last=False)
            self._loaded[key] = Classifier.load(folder, settings)
        self._loaded.move_to_end(key)
        return self._loaded[key]


class Runs:
    """The unfinished predictions, by output file, those worked on last."""

    def __init__(self, models: Models, kept: int = RUNS_KEPT) -> None:
        self._models = models
        self._kept = kept
        self._open: OrderedDict[Path, PredictionRun | ShardedRun] = OrderedDict()
        self._asking: dict[Path, BelowPromise] = {}
        self._opened_for: dict[Path, tuple[Path, bool]] = {}

    def kept_run(self, wanted: Slice, emit: Emit) -> PredictionRun | ShardedRun:
        """The predict worker's run for a slice, as the last slice left it, or opened anew where the version is another
        by now, or whether a language model may be asked; `emit` hears of the engine where it is opened."""
        purpose = (wanted.model, wanted.ask is not None)
        if self._opened_for.get(wanted.output_csv, purpose) != purpose:
            self.close_run(wanted.output_csv)
        if wanted.output_csv not in self._open:
            while len(self._open) >= self._kept:
                self.close_run(next(iter(self._open)))
            classifier = self._models.kept_classifier(wanted.model, wanted.settings)
            ask = None
            if wanted.ask is not None:
                ask = BelowPromise.of(wanted.ask, classifier, wanted.model, emit=emit)
            self._open[wanted.output_csv] = open_run(wanted, classifier, emit=emit, ask=ask)
            if ask is not None:
                self._asking[wanted.output_csv] = ask
            self._opened_for[wanted.output_csv] = purpose
        if wanted.ask is not None and (ask := self._asking.get(wanted.output_csv)) is not None:
            ask.take_share(wanted.ask.share)
        self._open.move_to_end(wanted.output_csv)
        return self._open[wanted.output_csv]

    def close_run(self, output: Path) -> None:
        """The run of this output is over, well or not."""
        self._asking.pop(output, None)
        self._opened_for.pop(output, None)
        if (run := self._open.pop(output, None)) is not None:
            run.close()

    def close_all(self) -> None:
        """Leave all of them where they can be gone on with."""
        while self._open:
            self._open.popitem()[1].close()


class StopSignal:
    """SIGTERM: ends the process where it waits, and is remembered where it works."""

    def __init__(self) -> None:
        self.is_asked = False
        self.is_working = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """As `signal.signal` wants it."""
        del number, frame
        self.is_asked = True
        if not self.is_working:
            raise SystemExit(0)


def answer_slice(line: str, runs: Runs, channel: Channel, stop: StopSignal) -> Answer:
    """Predict for one slice."""
    output: Path | None = None
    try:
        wanted = Slice.model_validate_json(line)
        end = time.monotonic() + wanted.slice_seconds
        output = wanted.output_csv
        run = runs.kept_run(wanted, channel.emit)
        channel.emit(run.progress)

        def go_on() -> bool:
            channel.emit(run.progress)  # a long silence is taken for a fault
            return not stop.is_asked and time.monotonic() < end

        run.ask_while(go_on)
        while run.step():
            channel.emit(run.progress)
            if stop.is_asked or time.monotonic() >= end:
                return Stopped()
        channel.emit(run.progress)
        summary = run.finish()
        if form_of(wanted.input_csv.name) == "xlsx" and form_of(output.name) == "csv":
            write_workbook(output, output.with_suffix(".xlsx"), long_values="cut")
    except Exception as error:  # noqa: BLE001 - reported to the daemon, which decides
        if output is not None:
            runs.close_run(output)
        return failure_of(error)
    runs.close_run(wanted.output_csv)
    return Result(summary)


def main() -> int:
    """Answer requests for slices until stdin ends."""
    stop = StopSignal()
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is the daemon's to handle
    channel = Channel.take_stdout()
    runs = Runs(Models())
    for line in sys.stdin:
        stop.is_working = True
        channel.send(answer_slice(line, runs, channel, stop))
        stop.is_working = False
        if stop.is_asked:
            break
    runs.close_all()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
