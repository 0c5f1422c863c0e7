"""Streaming predictions: rows a second, memory beyond the model, time outside of it, as tables grow.

Each measurement is a process of its own. Beside it the way everybody knows: transformers' pipeline in batches over the
same rows, at the same batch size. Called by `make bench-data` and by hand.
"""

# ruff: noqa: T201 - a command line prints

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "shared"))

import provenance
import sections

from freeal.compute import cpu_threads

SECTION = "predict"
BATCH_SIZE = 64
_WORDS = tuple(
    "the a this that it is was and not very so too good great fine bad awful poor film movie book phone screen battery "  # noqa: SIM905 - readable
    "service food staff price story plot actor music game team player market stock profit money oil trade company "
    "science planet cell gene who what where when why product review".split()
)
_PACKAGES = ("freeal-daemon", "torch", "transformers")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, then print the table or write it."""
    given = _parser().parse_args(arguments)
    if given.child is not None:
        print(json.dumps(_measured(given.child, given)))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        model = given.model or _model(Path(folder) / "model")
        found = [_in_process("freeal", rows, model, given, Path(folder)) for rows in given.rows]
        if given.rows_pipeline:
            found.append(_in_process("pipeline", given.rows_pipeline, model, given, Path(folder)))
    text = _page(found, given)
    if given.write is None:
        print(f"\n{text}")
    else:
        sections.replace(given.write, SECTION, text)
        print(f"wrote {given.write}")
    return 0


def write_rows(path: Path, rows: int, *, duplicates: float) -> int:
    """A CSV of `rows` short texts (4 to 13 words), drawn from (1 - duplicates) * rows different ones; how many of those
    it holds."""
    different = max(1, round(rows * (1 - duplicates)))
    rng = random.Random(0)
    drawn: set[int] = set()
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "text"])
        for row in range(rows):
            number = rng.randrange(different)
            drawn.add(number)
            words = random.Random(number)
            writer.writerow([row, f"{' '.join(words.choices(_WORDS, k=words.randint(3, 12)))} {number}"])
    return len(drawn)


def _model(folder: Path) -> Path:
    """The packaged encoder with a linear head, as a job would leave it."""
    from freeal.settings import StudentSettings
    from freeal.student.frozen_trainer import FrozenTrainer
    from freeal.student.labelled_texts import LabelledTexts
    from freeal.student.model_folder import student_metadata

    texts = [
        f"{mood} {noun}" for noun in ("film", "book", "phone", "food") for mood in ("good", "great", "bad", "poor")
    ]
    trainer = FrozenTrainer(StudentSettings(model="minilm", mode="frozen"))
    data = LabelledTexts(texts, [0, 0, 1, 1] * 4)
    training = trainer.fit(data, labels=("good", "bad"), seed=0, on_step=lambda done, total: None)
    folder.mkdir()
    training.student.save(folder)
    student_metadata.add_extra(folder, {"text_columns": ["text"]})
    return folder


def _in_process(way: str, rows: int, model: Path, given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    table = folder / f"{rows}.csv"
    different = write_rows(table, rows, duplicates=given.duplicates)
    command = [sys.executable, __file__, "--child", way, "--model", str(model), "--table", str(table)]
    environment = cpu_threads.ENVIRONMENT | dict(os.environ)
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    table.unlink()
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(f"{way}, {rows:,} rows: {rows / found['seconds']:,.0f} rows/s", flush=True)
    return {"way": way, "rows": rows, "different": different, **found}


def _measured(way: str, given: argparse.Namespace) -> dict[str, float]:
    work = _freeal if way == "freeal" else _pipeline
    started_mb, seconds, model_seconds = work(given.model, given.table)
    return {"seconds": seconds, "model_seconds": model_seconds, "beyond_mb": _peak_mb() - started_mb}


def _freeal(model: Path, table: Path) -> tuple[float, float, float]:
    """(megabytes once the model is warm, seconds, seconds in forward passes)."""
    from freeal.prediction.predict_csv import Classifier, PredictionJob, predict_csv
    from freeal.settings import PredictSettings

    settings = PredictSettings(batch_size=BATCH_SIZE)
    classifier = Classifier.load(model, settings)
    inner = classifier.student
    inner.predict_proba([f"{word} " * 12 for word in _WORDS])
    timed = Timed(inner)
    classifier.student = timed
    started_mb = _now_mb()
    began = time.monotonic()
    output = table.with_suffix(".out.csv")
    predict_csv(
        PredictionJob(model=model, input_csv=table, output_csv=output, settings=settings), classifier=classifier
    )
    return started_mb, time.monotonic() - began, timed.seconds


class Timed:
    """A student whose forward passes are timed."""

    def __init__(self, student: Any) -> None:
        self._student = student
        self.seconds = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._student, name)

    def score(self, texts: Any) -> Any:
        """As the student does."""
        began = time.monotonic()
        try:
            return self._student.score(texts)
        finally:
            self.seconds += time.monotonic() - began


def _pipeline(model: Path, table: Path) -> tuple[float, float, float]:
    """The same as `_freeal`, the usual way; its forward passes are not told apart."""
    from transformers import pipeline

    classify = pipeline("text-classification", str(model), top_k=None, batch_size=BATCH_SIZE, truncation=True)
    classify([f"{word} " * 12 for word in _WORDS])
    started_mb = _now_mb()
    began = time.monotonic()
    with table.open(encoding="utf-8", newline="") as source, table.with_suffix(".out.csv").open("w") as target:
        rows = list(csv.DictReader(source))
        writer = csv.writer(target)
        for row, found in zip(rows, classify([row["text"] for row in rows]), strict=True):
            writer.writerow([*row.values(), found[0]["label"], *(f"{one['score']:.4f}" for one in found)])
    return started_mb, time.monotonic() - began, float("nan")


def _now_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def _page(found: Sequence[dict[str, Any]], given: argparse.Namespace) -> str:
    lines = [
        "| way | rows | different texts | rows/s | texts/s in the model | outside the model | MB beyond the model |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for one in found:
        is_ours = one["way"] == "freeal"
        outside = f"{1 - one['model_seconds'] / one['seconds']:.1%}" if is_ours else ""
        scored = one["different"] if is_ours else one["rows"]
        in_model = one["model_seconds"] if is_ours else one["seconds"]
        title = "freeal predict" if is_ours else "transformers pipeline, in batches"
        lines.append(
            f"| {title} | {one['rows']:,} | {one['different']:,} | {one['rows'] / one['seconds']:,.0f} "
            f"| {scored / in_model:,.0f} | {outside} | {one['beyond_mb']:,.0f} |"
        )
    legend = (
        f"Short texts (4 to 13 words) drawn at random from {1 - given.duplicates:.0%} as many different ones, batches "
        f"of {BATCH_SIZE}, the packaged encoder with a linear head. *outside the model*: share of the time in which no "
        "forward pass ran, from the first byte read to the last one written. *MB beyond the model*: peak memory of the "
        "process less what it had with the model loaded and warm; a part of it is the scratch memory of the forward "
        "passes themselves. For the pipeline, *texts/s in the model* is over the whole time."
    )
    return (
        "\n\n".join(["### Predictions as tables grow", provenance.source(_PACKAGES), legend, "\n".join(lines)]) + "\n"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000], metavar="N")
    parser.add_argument("--rows-pipeline", type=int, default=10_000, metavar="N", help="0: without the pipeline")
    parser.add_argument("--duplicates", type=float, default=0.5, metavar="SHARE", help="of texts drawn more than once")
    parser.add_argument("--model", type=Path, metavar="FOLDER", help="default: one made of the packaged encoder")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into this file's section")
    parser.add_argument("--child", choices=("freeal", "pipeline"), help=argparse.SUPPRESS)
    parser.add_argument("--table", type=Path, help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
