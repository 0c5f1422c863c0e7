"""Entry point for single sentences: `python -m daemon.processes.classify_sentence`.

One line of JSON per sentence (`model`, a folder; `values`, column to value; `settings` of predicting), one answer per
line: `probabilities` by label. It stays warm between them, and ends with stdin. What is typed stays in memory.
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

from daemon.processes.child_channel import Channel, failure_of
from daemon.processes.message_protocol import Answer, Result
from daemon.processes.predict_worker import Models
from freeal.settings import PredictSettings
from freeal.text.row_text import row_text


def attempt(line: str, models: Models) -> Answer:
    """Label one row."""
    try:
        request = json.loads(line)
        classifier = models.get(Path(request["model"]), PredictSettings.model_validate(request["settings"]))
        values: dict[str, str] = request["values"]
        text = row_text(tuple(values), tuple(values.values()))
        [probabilities] = classifier.student.predict_proba([text])
        labels = classifier.student.labels
        return Result({"probabilities": {label: float(p) for label, p in zip(labels, probabilities, strict=True)}})
    except Exception as error:  # noqa: BLE001 - reported to the daemon, which shows it
        return failure_of(error)


def main() -> int:
    """Answer until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is the daemon's to handle
    channel = Channel.take_stdout()
    models = Models()
    for line in sys.stdin:
        channel.send(attempt(line, models))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
