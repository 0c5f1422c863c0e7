"""Entry point of the predict lane's process: `python -m daemon.processes.predict_worker`.

One PredictionJob as JSON per line of stdin, one answer per line. It stays warm between them, because importing torch
and loading a model take longer than most predictions. Ends with stdin.
"""

from __future__ import annotations

import os
import signal
import sys
from collections import OrderedDict
from pathlib import Path

from daemon.processes.channel import Channel, failure_of
from daemon.processes.protocol import Answer, Result
from freeal.predict import Classifier, PredictionJob, predict_csv
from freeal.settings import PredictSettings

MODELS_KEPT = 2


class Models:
    """The classifiers used last. A model is loaded anew when its folder is another one than before (a new version)."""

    def __init__(self, kept: int = MODELS_KEPT) -> None:
        self._kept = kept
        self._loaded: OrderedDict[tuple[str, int, int], Classifier] = OrderedDict()

    def get(self, folder: Path, settings: PredictSettings) -> Classifier:
        """The classifier of a resolved model folder."""
        key = (os.fspath(folder), folder.stat().st_mtime_ns, settings.batch_size)
        if key not in self._loaded:
            while len(self._loaded) >= self._kept:
                self._loaded.popitem(last=False)
            self._loaded[key] = Classifier.load(folder, settings)
        self._loaded.move_to_end(key)
        return self._loaded[key]


def answer(line: str, models: Models, channel: Channel) -> Answer:
    """Do one request."""
    try:
        job = PredictionJob.model_validate_json(line)
        # resolved once: the version may change while this runs, and the summary must name the one that was used
        job = job.model_copy(update={"model": job.model.resolve(strict=True)})
        classifier = models.get(job.model, job.settings)
        return Result(predict_csv(job, emit=channel.emit, classifier=classifier))
    except Exception as error:  # noqa: BLE001 - reported to the daemon, which decides
        return failure_of(error)


def main() -> int:
    """Answer requests until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is the daemon's to handle
    channel = Channel.take_stdout()
    models = Models()
    for line in sys.stdin:
        channel.send(answer(line, models, channel))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
