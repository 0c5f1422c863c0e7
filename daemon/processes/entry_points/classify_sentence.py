"""Entry point for single rows: `python -m daemon.processes.entry_points.classify_sentence`.

One line of JSON per request (`model`, a folder; `rows`, each column to value; `settings` of predicting), one answer per
line: `rows`, each a `PredictedRow`. It stays warm between them, and ends with stdin. What is sent stays in memory.
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

from daemon.processes.child_channel import Channel, failure_of
from daemon.processes.entry_points.predict_worker import Models
from daemon.processes.message_protocol import Answer, Result
from freeal.prediction.predict_rows import predict_rows
from freeal.settings import PredictSettings


def classify_rows(line: str, models: Models) -> Answer:
    """Label the rows of one request."""
    try:
        request = json.loads(line)
        classifier = models.kept_classifier(Path(request["model"]), PredictSettings.model_validate(request["settings"]))
        return Result({"rows": [row.as_dict() for row in predict_rows(classifier, request["rows"])]})
    except Exception as error:  # noqa: BLE001 - reported to the daemon, which shows it
        return failure_of(error)


def main() -> int:
    """Classify what stdin asks until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is the daemon's to handle
    channel = Channel.take_stdout()
    models = Models()
    for line in sys.stdin:
        channel.send(classify_rows(line, models))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
