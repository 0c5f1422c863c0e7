"""Parts of `make bench-scale` without a cluster: a prediction's memory as its rows grow, the forecast beside real jobs.

Each measurement is a process of its own.
"""

# ruff: noqa: T201 - a command line prints

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "shared"))

import place
import predict_size
import training_size

SAMPLE_TEXTS = 1_000
"""Of the job that is foretold; further rows are these once more, told apart by a number."""


def prediction_memory(rows: Sequence[int], *, model: Path, folder: Path) -> list[str]:
    """The table: peak memory beyond that of the loaded model, by form of the output."""
    lines = [
        "A prediction by one process, the most memory beyond that with the model loaded and warm:",
        "",
        "| rows | output | s | file MB | MB beyond the model |",
        "| ---: | --- | ---: | ---: | ---: |",
    ]
    for count in rows:
        table = folder / f"{count}.csv"
        predict_size.write_rows(table, count, duplicates=0.0)
        for form in ("csv", "parquet"):
            print(f"memory of a prediction of {count:,} rows, {form}", file=sys.stderr)
            one = _in_process({"model": str(model), "table": str(table), "output": str(folder / f"out.{form}")})
            lines.append(
                f"| {count:,} | {form} | {one['seconds']:.1f} | {one['file'] / 1e6:,.1f} | {one['beyond'] / 1e6:,.0f} |"
            )
        table.unlink()
    return lines


def forecast(checks: Sequence[int], *, model: str) -> list[str]:
    """The table: each step of `python -m freeal plan` as foretold and as it was, and what that is of the whole."""
    from freeal.cost_estimate.measured_job import Order, measure_job
    from freeal.cost_estimate.scale_plan import SIZES, Rates
    from freeal.settings import StudentSettings
    from freeal.spec.job_spec import Spec

    rng = random.Random(0)
    words = predict_size._WORDS
    texts = tuple(f"{' '.join(rng.choices(words, k=rng.randint(3, 12)))} {number}" for number in range(SAMPLE_TEXTS))
    spec = Spec.model_validate({"description": "Is it good?", "labels": list(training_size.LABELS), "name": "plan"})
    order = Order(texts=texts, rows=1, spec=spec, student=StudentSettings(model=model))

    def run(rows: int) -> Any:
        print(f"a job of {rows:,} rows for the forecast", file=sys.stderr)
        return measure_job(order.model_copy(update={"rows": rows}))

    rates = Rates.of(*(run(rows) for rows in SIZES))
    found = [run(rows) for rows in checks]
    said = (
        f"The forecast of `python -m freeal plan`, from jobs of {SIZES[0]:,} and {SIZES[1]:,} rows, beside real jobs: "
        "processor seconds foretold / measured, and the error as a share of the whole job."
    )
    lines = [
        said,
        "",
        "| step | " + " | ".join(f"{rows:,} rows" for rows in checks) + " |",
        "| --- |" + " ---: |" * len(checks),
    ]
    for step, line in rates.seconds.items():
        cells = []
        for real in found:
            whole, measured, told = sum(real.seconds.values()), real.seconds[step], line.at(real.rows)
            cells.append(f"{told:.1f} / {measured:.1f} ({(told - measured) / whole:+.0%})")
        lines.append(f"| {step} | " + " | ".join(cells) + " |")
    totals = []
    for real in found:
        whole, told = sum(real.seconds.values()), sum(line.at(real.rows) for line in rates.seconds.values())
        totals.append(f"{told:.1f} / {whole:.1f} ({told / whole - 1:+.0%})")
    return [*lines, "| all | " + " | ".join(totals) + " |"]


def training(rows: Sequence[int], *, dimensions: int) -> list[str]:
    """The table of training jobs of these sizes."""
    found = []
    for count in rows:
        print(f"a training job of {count:,} rows", file=sys.stderr)
        found.append(training_size.measured(count, dimensions=dimensions))
    return training_size.page(found, dimensions=dimensions)


def _in_process(told: dict[str, str]) -> dict[str, float]:
    command = [sys.executable, __file__, json.dumps(told)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=place.ROOT)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _predicted(*, model: str, table: str, output: str) -> dict[str, float]:
    from freeal.prediction.predict_csv import Classifier, PredictionJob, predict_csv
    from freeal.settings import PredictSettings

    settings = PredictSettings()
    classifier = Classifier.load(Path(model), settings)
    with tempfile.TemporaryDirectory() as folder:  # what the first windows load for good belongs to the model
        warm = Path(folder) / "warm.csv"
        predict_size.write_rows(warm, 2_000, duplicates=0.0)
        first = Path(folder) / Path(output).name
        predict_csv(
            PredictionJob(model=Path(model), input_csv=warm, output_csv=first, settings=settings), classifier=classifier
        )
    loaded = predict_size._now_mb()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    began = time.monotonic()
    job = PredictionJob(model=Path(model), input_csv=Path(table), output_csv=Path(output), settings=settings)
    predict_csv(job, classifier=classifier)
    seconds = time.monotonic() - began
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    peak = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
    return {"seconds": seconds, "beyond": peak - loaded * 1e6, "file": Path(output).stat().st_size}


if __name__ == "__main__":
    print(json.dumps(_predicted(**json.loads(sys.argv[1]))))
