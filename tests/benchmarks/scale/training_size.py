"""A training job as its table grows: processor time and memory by stage, and what a row adds.

The real job in a process of its own, on generated short texts: the frozen student, an annotator that answers by a
hash, right eight times of ten, and two rounds. A text's features are `--dimensions` wide and take the memory that an
encoder's take, but are the mean of a random vector for each of its words: an encoder's own time is known, and linear.
Called by `make bench-scale`.
"""

# ruff: noqa: T201 - a command line prints

from __future__ import annotations

import csv
import hashlib
import itertools
import json
import math
import random
import subprocess
import sys
import tempfile
import threading
import time
import types
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "shared"))

import place
import predict_size

from freeal.compute.listener import Listener, OnStep, unwatched
from freeal.events import Event, Progress

if TYPE_CHECKING:
    from freeal.job.training_job import TrainingJob

STAGES = ("reading", "encoding", "annotating", "training", "writing")
LABELS = ("good", "bad", "none")
ROUNDS = 2
_RIGHT_OF_TEN = 8
_ROWS_PER_CALL = 256
"""As a local model takes them."""
_LOOK_SECONDS = 0.05
_WORD_VECTORS = 4096


def measured(rows: int, *, dimensions: int) -> dict[str, Any]:
    """`seconds` of the processor, `peak` and `held` bytes of memory by stage, and `output` bytes, in a new process."""
    told = json.dumps({"rows": rows, "dimensions": dimensions})
    done = subprocess.run([sys.executable, __file__, told], check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def page(found: Sequence[dict[str, Any]], *, dimensions: int) -> list[str]:
    """The table, with what each row more takes between the smallest and the largest job."""
    said = (
        f"A training job of two rounds, frozen student on {dimensions} dimensions, an annotator that answers at once, "
        "features that cost next to nothing: processor seconds, and the most MB that no file stands behind. Pages of "
        "memory-mapped files, which the system takes back at need, are not in it."
    )
    lines = [
        said,
        "",
        "| rows | " + " | ".join(f"{stage}: s, MB" for stage in STAGES) + " | all: s, MB |",
        "| ---: |" + " ---: |" * (len(STAGES) + 1),
    ]
    for one in found:
        cells = [f"{one['seconds'][stage]:,.0f}, {one['held'][stage] / 1e6:,.0f}" for stage in STAGES]
        whole = f"{sum(one['seconds'].values()):,.0f}, {max(one['held'].values()) / 1e6:,.0f}"
        lines.append(f"| {one['rows']:,} | " + " | ".join([*cells, whole]) + " |")
    return [*lines, *(line for few, many in itertools.pairwise(found) for line in ("", _growth(few, many)))]


def _growth(few: dict[str, Any], many: dict[str, Any]) -> str:
    """What each stage holds for each row more between two jobs, and with which power of the rows its time grows."""
    more, times = many["rows"] - few["rows"], math.log(many["rows"] / few["rows"])
    held = ", ".join(f"{stage} {(many['held'][stage] - few['held'][stage]) / more / 1e3:.1f}" for stage in STAGES)
    power = ", ".join(
        f"{stage} {math.log(many['seconds'][stage] / few['seconds'][stage]) / times:.1f}" for stage in STAGES
    )
    sizes = f"From {few['rows']:,} to {many['rows']:,} rows"
    return f"- {sizes}, kB held for each row more: {held}. Seconds grow with the rows to the power of: {power}."


class _Meter:
    """Processor time, peak of all memory and of that which no file stands behind, by stage."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self.peak = dict.fromkeys(STAGES, 0)
        self.held = dict.fromkeys(STAGES, 0)
        self._stage, self._since = STAGES[0], time.process_time()
        self._status_bytes()
        threading.Thread(target=self._look, daemon=True).start()

    def on_event(self, event: Event) -> None:
        """Follow a job."""
        if isinstance(event, Progress):
            stage = {"loading": "reading", "deciding": "writing"}.get(event.stage, event.stage)
            self.turn_to(stage if stage in STAGES else "training")

    def turn_to(self, stage: str) -> None:
        """What follows belongs to `stage`."""
        now = time.process_time()
        self.seconds[self._stage] += now - self._since
        self._note()
        if stage != self._stage:
            seconds, held = self.seconds[self._stage], self.held[self._stage] / 1e6
            print(f"  so far: {self._stage} {seconds:,.0f} s, {held:,.0f} MB held; now {stage}", file=sys.stderr)
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        self._stage, self._since = stage, now

    def _look(self) -> None:
        while True:
            self._note()
            time.sleep(_LOOK_SECONDS)

    def _note(self) -> None:
        peak, held = self._status_bytes()
        self.peak[self._stage] = max(self.peak[self._stage], peak)
        self.held[self._stage] = max(self.held[self._stage], held)

    @staticmethod
    def _status_bytes() -> tuple[int, int]:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        said = dict(line.split(":", 1) for line in lines)
        return int(said["VmHWM"].split()[0]) * 1024, int(said["RssAnon"].split()[0]) * 1024


def _encoder(folder: Path, dimensions: int) -> Path:
    """The tiny encoder of the tests, as wide as wanted: what the student is saved as."""
    import torch
    from transformers import AutoConfig, BertModel

    from freeal.testing.tiny_encoder import tiny_encoder

    tiny_encoder(folder)
    config = AutoConfig.from_pretrained(folder)
    config.hidden_size, config.num_hidden_layers, config.intermediate_size = dimensions, 1, 16
    torch.manual_seed(0)
    BertModel(config).save_pretrained(folder)
    return folder


def _trainer(job: TrainingJob, dimensions: int, *, on_embedded: OnStep) -> Any:
    """A frozen student that has its features from `_WordVectors`, those of labels' meanings too."""
    from freeal.compute.batch_halving import Room
    from freeal.student.frozen_trainer import FrozenTrainer
    from freeal.student.untrained_encoder import UntrainedEncoder

    vectors = _WordVectors(dimensions)

    class WordStart(UntrainedEncoder):
        def features(self, texts: Sequence[str], untrained: Any, *, on_batch: OnStep = unwatched) -> np.ndarray:
            del untrained
            return self._cache.features(texts, vectors, on_batch=on_batch)

    trainer = FrozenTrainer(job.effective().student, scratch=job.work)
    trainer._start = trainer._reader = WordStart(
        job.effective().student, room=Room(listener=Listener(on_embedded)), scratch=job.work
    )
    return trainer


class _WordVectors:
    """In the place of an encoder: a text is the mean of its words, each a random vector."""

    def __init__(self, dimensions: int) -> None:
        self._table = np.random.default_rng(0).standard_normal((_WORD_VECTORS, dimensions), dtype=np.float32)
        self.head = types.SimpleNamespace(in_features=dimensions)

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        return [[zlib.crc32(word.encode()) % _WORD_VECTORS for word in text.split()] for text in texts]

    def score(
        self, tokens: Sequence[list[int]], *, on_batch: OnStep = unwatched, into: np.ndarray | None = None
    ) -> tuple[np.ndarray, None]:
        from scipy.sparse import csr_array

        ends = np.cumsum([0, *map(len, tokens)])
        shares = np.repeat(1.0 / np.maximum(np.diff(ends), 1), np.diff(ends)).astype(np.float32)
        words = np.fromiter(itertools.chain.from_iterable(tokens), dtype=np.int64, count=int(ends[-1]))
        found = csr_array((shares, words, ends), shape=(len(tokens), _WORD_VECTORS)) @ self._table
        on_batch(len(tokens), len(tokens))
        if into is not None:
            into[:] = found
        return found if into is None else into, None


def _run(rows: int, dimensions: int, folder: Path) -> dict[str, Any]:
    import anyio

    from freeal.job.run_training_job import train
    from freeal.job.training_job import TrainingJob
    from freeal.settings import LoopSettings, StudentSettings
    from freeal.spec.job_spec import Spec
    from freeal.testing.scripted_model import ScriptedModel, text_of
    from freeal.types import Prompt

    def answered(prompt: Prompt) -> str:
        code = zlib.crc32(text_of(prompt.specific).encode())
        label = LABELS[(code + (code // 10 % 10 >= _RIGHT_OF_TEN)) % len(LABELS)]
        return json.dumps({"label": label, "confidence": 0.9})

    table = folder / "rows.csv"
    with table.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["number", "text"])
        rng = random.Random(0)
        for number in range(rows):
            words = rng.choices(predict_size._WORDS, k=rng.randint(3, 12))
            writer.writerow([number, f"{' '.join(words)} {number}"])
    spec = Spec.model_validate(
        {
            "name": "size",
            "description": "Is it good?",
            "labels": list(LABELS),
            "text_columns": ["text"],
            "id_column": "number",
        }
    )
    job = TrainingJob(
        job_id="size",
        csv=table,
        spec=spec,
        output=folder / "output",
        work=folder / "work",
        answers=folder / "answers.sqlite",
        cache=folder / "cache",
        key_folder=folder,
        student=StudentSettings(model=str(_encoder(folder / "encoder", dimensions)), mode="frozen", device="cpu"),
        loop=LoopSettings(iterations=ROUNDS, demonstration_sets=1, zero_shot="never"),
    )
    meter = _Meter()
    trainer = _trainer(job, dimensions, on_embedded=lambda done, total: meter.turn_to("encoding"))
    model = ScriptedModel(answered, rows_per_call=_ROWS_PER_CALL, concurrency=1, remembers=False)
    anyio.run(lambda: train(job, emit=meter.on_event, chat_model=model, trainer=trainer, environ={}))
    meter.turn_to("writing")
    on_disk = sum(file.stat().st_size for file in (folder / "work").rglob("*") if file.is_file())
    return {
        "rows": rows,
        "seconds": meter.seconds,
        "peak": meter.peak,
        "held": meter.held,
        "rounds_bytes": on_disk,
        "digest": hashlib.sha256((folder / "output" / "annotated.csv").read_bytes()).hexdigest()[:12],
    }


def main(arguments: Sequence[str]) -> int:
    """Measure what the first argument asks for."""
    with tempfile.TemporaryDirectory(dir=place.ROOT / ".bench" if (place.ROOT / ".bench").is_dir() else None) as folder:
        print(json.dumps(_run(**json.loads(arguments[0]), folder=Path(folder))))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
