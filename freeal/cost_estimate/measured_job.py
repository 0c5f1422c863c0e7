"""What a job costs this machine by stage, measured on a small one: `python -m freeal.cost_estimate.measured_job ORDER`.

The real job runs in a process of its own, with the frozen student and an annotator that answers at once; then its
student labels the same rows in shards. So what is measured is everything but the language model.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import anyio
from pydantic import BaseModel, ConfigDict

from freeal.errors import FreealError
from freeal.events import Event, Progress
from freeal.settings import LoopSettings, PredictSettings, StudentSettings
from freeal.spec.job_spec import Spec

MODULE = "freeal.cost_estimate.measured_job"
STEPS = ("start", "read", "annotate", "train", "write", "cut", "predict", "join")
_STEP_OF = {"reading": "read", "loading": "start", "annotating": "annotate", "writing": "write", "deciding": "write"}
_SHARDS = 4
"""Large enough for batches of texts of like length, as shards of a large table are."""
_RIGHT_OF_TEN = 8
"""Answers of ten that name the label a text's hash stands for: no annotator is right always."""


class Order(BaseModel):
    """Measure `rows` rows made of these texts. `student` is trained frozen, whatever its mode."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    texts: tuple[str, ...]
    rows: int
    spec: Spec
    student: StudentSettings = StudentSettings()
    loop: LoopSettings = LoopSettings()


@dataclasses.dataclass(frozen=True, slots=True)
class Measured:
    """By step (`STEPS`): seconds of the processor, and the most memory in bytes; `disk` holds bytes by kind of file."""

    rows: int
    seconds: dict[str, float]
    memory: dict[str, int]
    disk: dict[str, int]


def measure_job(order: Order) -> Measured:
    """Run it in a process of its own. Raises `FreealError` where that fails."""
    done = subprocess.run(  # noqa: S603 - ourselves
        [sys.executable, "-m", MODULE], input=order.model_dump_json(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise FreealError(f"a job of {order.rows:,} rows cannot be measured: {last}")
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


class _Meter:
    """Adds up processor time and takes the peak of memory by step."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STEPS, 0.0)
        self.memory = dict.fromkeys(STEPS, 0)
        self._step, self._since = "start", 0.0

    def turn_to(self, step: str) -> None:
        """What follows belongs to `step`."""
        now = time.process_time()
        self.seconds[self._step] += now - self._since
        self.memory[self._step] = max(self.memory[self._step], _peak_bytes())
        self._step, self._since = step, now

    def on_event(self, event: Event) -> None:
        """Follow a job."""
        if isinstance(event, Progress):
            self.turn_to(_STEP_OF.get(event.stage, "train"))


def _peak_bytes() -> int:
    """Since the last call."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return peak * 1024


def _rows(order: Order) -> Iterator[tuple[str, str]]:
    """(number, text) of each row; texts that come again are told apart by their last word."""
    for number in range(order.rows):
        again, place = divmod(number, len(order.texts))
        yield str(number), order.texts[place] + (f" {again}" if again else "")


def _run_measured_job(order: Order, folder: Path) -> Measured:
    from freeal.job.run_training_job import train
    from freeal.job.training_job import TrainingJob
    from freeal.testing.scripted_model import ScriptedModel, text_of
    from freeal.types import Prompt

    meter = _Meter()
    table = folder / "rows.csv"
    with table.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("number", "text"), *_rows(order)])
    names = [label.name for label in order.spec.task.labels]

    def answered(prompt: Prompt) -> str:
        code = zlib.crc32(text_of(prompt.specific).encode("utf-8", "replace"))
        label = names[(code + (code // 10 % 10 >= _RIGHT_OF_TEN)) % len(names)]
        return json.dumps({"label": label, "confidence": 0.9})

    job = TrainingJob(
        job_id="measured",
        csv=table,
        spec=order.spec.model_copy(
            update={"text_columns": ("text",), "label_column": None, "label_columns": None, "id_column": "number"}
        ),
        output=folder / "output",
        work=folder / "work",
        answers=folder / "answers.sqlite",
        cache=folder / "cache",
        key_folder=folder,
        student=order.student.model_copy(update={"mode": "frozen"}),
        loop=order.loop,
    )
    meter.turn_to("read")
    anyio.run(lambda: train(job, emit=meter.on_event, chat_model=ScriptedModel(answered, remembers=False), environ={}))
    disk = {"answers": _bytes(folder / "answers.sqlite*"), "rounds": _bytes(folder / "work" / "**" / "*")}
    disk["output"] = _bytes(folder / "output" / "**" / "*")
    disk |= _measure_prediction(table, folder, meter, count=order.rows)
    meter.turn_to("write")
    return Measured(order.rows, meter.seconds, meter.memory, disk)


def _measure_prediction(table: Path, folder: Path, meter: _Meter, *, count: int) -> dict[str, int]:
    from freeal.executors.engine_choice import EngineChoice
    from freeal.executors.local_executor import LocalExecutor
    from freeal.prediction.prediction_job import PredictionJob
    from freeal.prediction.published_model import Classifier
    from freeal.prediction.sharded.sharded_run import ShardedRun

    meter.turn_to("start")
    settings = PredictSettings(shard_rows=max(1, -(-count // _SHARDS)))
    job = PredictionJob(
        model=folder / "output" / "model", input_csv=table, output_csv=folder / "out.csv", settings=settings
    )
    classifier = Classifier.load(job.model, settings)
    with ShardedRun(job, classifier, LocalExecutor(), EngineChoice("local", "measured")) as run:
        meter.turn_to("cut")
        while run.phase == "cut":
            run.step()
        meter.turn_to("start")  # the executor loads the model once more, and does the first shard
        run.step()
        meter.turn_to("predict")
        while run.phase == "compute":
            run.step()
        meter.turn_to("join")
        meter.seconds["predict"] *= _SHARDS / (_SHARDS - 1)
        while run.step():
            pass
        run.finish()
        disk = {
            "shards": _bytes(folder / ".out.csv.shards" / "shard-*"),
            "results": _bytes(folder / ".out.csv.shards" / "result-*"),
            "predictions": _bytes(folder / "out.csv"),
        }
    meter.turn_to("write")
    return disk


def _bytes(pattern: Path) -> int:
    base = Path(pattern.anchor)
    return sum(file.stat().st_size for file in base.glob(str(pattern.relative_to(base))) if file.is_file())


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what stdin asks for."""
    del argv
    order = Order.model_validate_json(sys.stdin.read())
    with tempfile.TemporaryDirectory(prefix="freeal-measured-") as folder:
        found: dict[str, Any] = dataclasses.asdict(_run_measured_job(order, Path(folder)))
    print(json.dumps(found))  # noqa: T201 - asked for
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
