"""`make bench-restart`: how long a restart takes until READY, with predictions that a former daemon left claimed.

Imports are not in it. ARGS="--times 3 --write docs/benchmarks.md".
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "shared"))

import anyio
import provenance
import sections

from daemon import app
from daemon.config import Loaded, Settings, WatchSettings
from daemon.host.clock import Clock
from daemon.host.systemd_notify import Notifier
from daemon.journal.journal import Journal
from daemon.journal.prediction_record import Prediction
from daemon.journal.work_folder import Workplace
from daemon.terminal.progress_log import LogView

COUNTS = (100, 3_000, 10_000)


class ReadyError(Exception):
    """Reached what is measured."""


class _Bell(Notifier):
    rung_at: tuple[float, float] | None = None

    def ready(self) -> None:
        self.rung_at = (time.perf_counter(), time.process_time())
        raise ReadyError


def seconds_to_ready(folder: Path, count: int) -> tuple[float, float]:
    """From the journal's opening to READY, with `count` claimed predictions: on the clock, and of a processor."""
    watch = WatchSettings(mode="off")
    settings = Settings(inbox=folder / "inbox", models=folder / "models", state=folder / "state", watch=watch)
    app.prepare_folders(settings)
    (settings.models / "m" / "predict").mkdir(parents=True)
    with Journal(settings.state, Clock()) as journal:
        journal.fill_from_folders([], [_claimed(settings, number) for number in range(count)], spend=())
    began = (time.perf_counter(), time.process_time())
    with Journal(settings.state, Clock()) as journal:
        loaded = Loaded(settings, folder, {})
        service = app.build_service(loaded, once=False, journal=journal, time=Clock(), view=LogView())
        service._notifier = _Bell()
        with contextlib.suppress(BaseExceptionGroup):
            anyio.run(service.run)
        if service._notifier.rung_at is None:
            raise RuntimeError("it never became ready")
        clock, processor = service._notifier.rung_at
        return clock - began[0], processor - began[1]


def _claimed(settings: Settings, number: int) -> Prediction:
    prediction_id = f"predict-m-20260101-{number // 3600:02}{number // 60 % 60:02}{number % 60:02}-{number:06x}"
    inputs = Workplace(settings, prediction_id).inputs
    inputs.mkdir(parents=True)
    (inputs / "x.csv").write_text("text\nfine\n", encoding="utf-8")
    return Prediction(id=prediction_id, model="m", csv_name="x.csv", created_at=number, updated_at=number)


def main() -> None:
    """A line per count, each measured `--times` times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--write", type=Path, help="a file whose section `restart` is replaced")
    given = parser.parse_args()
    lines = ["| claimed predictions | seconds to READY | of them on a processor |", "| ---: | --- | --- |"]
    for count in COUNTS:
        found = []
        for _ in range(given.times):
            with tempfile.TemporaryDirectory() as folder:
                found.append(seconds_to_ready(Path(folder), count))
        clock, processor = (", ".join(f"{one:.2f}" for one in column) for column in zip(*found, strict=True))
        lines.append(f"| {count:,} | {clock} | {processor} |")
    head = [provenance.command("bench-restart", given, parser), provenance.source(("anyio",))]
    text = "\n\n".join([*head, "\n".join(lines)])
    if given.write is None:
        sys.stdout.write(f"{text}\n")
    else:
        sections.replace(given.write, "restart", text)


if __name__ == "__main__":
    main()
