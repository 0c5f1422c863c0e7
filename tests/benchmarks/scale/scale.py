"""`make bench-scale`: what size costs. Parts: labelling over Ray beside one process on fixed work (the overhead, and
where it is worth it); a prediction's memory; a training job by stage; a round through a provider; the forecast of
`plan` beside real jobs; fine-tuning over Ray beside one process.

Each measurement is a process of its own; `--part`, the sizes, `--write docs/benchmarks.md`.
"""

# ruff: noqa: T201 - a command line prints

from __future__ import annotations

import argparse
import hashlib
import json
import os
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
import provenance
import provider_size
import scale_fine_tuning
import scale_sizes
import sections

from freeal.compute import cpu_threads
from freeal.executors.ray_cluster import is_installed

SECTION = "scale"
PARTS = ("ray", "memory", "training", "provider", "plan", "fine-tuning")
SHARDS = 8
_PACKAGES = ("freeal-daemon", "torch", "transformers")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, then print the table or write it."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.child is not None:
        print(json.dumps(_measured(**json.loads(given.child))))
        return 0
    for part in given.part:
        lines = _measure_part(part, given)
        text = "\n".join([provenance.command("bench-scale", given, parser), provenance.source(_PACKAGES), "", *lines])
        if given.write is None:
            print(f"\n{text}")
        else:
            section = SECTION if part == "ray" else f"{SECTION}-{part}"
            sections.replace(given.write, section, text)
            print(f"wrote {section} in {given.write}")
    return 0


def _measure_part(part: str, given: argparse.Namespace) -> list[str]:
    """The lines of its section."""
    if part == "training":
        return scale_sizes.training(given.training_rows, dimensions=given.dimensions)
    if part == "provider":
        return provider_size.provider(given.provider_rows)
    if part == "fine-tuning":
        return scale_fine_tuning.fine_tuning(
            given.fine_tuning_rows, workers=given.workers, times=given.times, model=given.plan_model
        )
    if part == "plan":
        return scale_sizes.forecast(given.check, model=given.plan_model)
    with tempfile.TemporaryDirectory() as folder:
        model = _model(Path(folder))
        if part == "memory":
            return scale_sizes.prediction_memory(given.memory_rows, model=model, folder=Path(folder))
        return _ray(given, model=model, folder=Path(folder))


def _ray(given: argparse.Namespace, *, model: Path, folder: Path) -> list[str]:
    ways = [("local", 0), *(("ray", workers) for workers in given.workers if is_installed())]
    if not is_installed():
        print("Ray is not installed (extra `ray`): local alone is measured", file=sys.stderr)
    found = []
    for rows in given.rows:
        table = folder / f"{rows}.csv"
        predict_size.write_rows(table, rows, duplicates=0.0)
        for engine, workers in ways:
            print(f"{rows:,} rows, {engine} {workers or ''}", file=sys.stderr)
            found.append(_in_process(rows=rows, engine=engine, workers=workers, table=table, model=model))
    return _page(found)


def _model(folder: Path) -> Path:
    from freeal.settings import StudentSettings
    from freeal.student.frozen_trainer import FrozenTrainer
    from freeal.student.labelled_texts import LabelledTexts
    from freeal.student.model_folder import student_metadata
    from freeal.testing.tiny_encoder import tiny_encoder

    trainer = FrozenTrainer(StudentSettings(model=str(tiny_encoder(folder / "encoder")), device="cpu"))
    data = LabelledTexts(["good film", "bad film"] * 20, [1, 0] * 20)
    model = folder / "model"
    model.mkdir()
    trainer.fit(data, labels=("bad", "good"), seed=0, on_step=lambda done, total: None).student.save(model)
    student_metadata.add_extra(model, {"name": "scale", "text_columns": ["text"]})
    return model


def _in_process(**measurement: Any) -> dict[str, Any]:
    told = json.dumps({name: str(value) if isinstance(value, Path) else value for name, value in measurement.items()})
    done = subprocess.run(
        [sys.executable, __file__, "--child", told], check=True, stdout=subprocess.PIPE, text=True, cwd=place.ROOT
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _measured(*, rows: int, engine: str, workers: int, table: str, model: str) -> dict[str, Any]:
    from freeal.prediction.predict_csv import Classifier, PredictionJob, predict_csv
    from freeal.settings import PredictSettings, RaySettings

    settings = PredictSettings(engine=engine, shard_rows=max(1, rows // SHARDS))
    output = Path(table).with_name(f"out-{engine}-{workers}.csv")
    job = PredictionJob(
        model=Path(model),
        input_csv=Path(table),
        output_csv=output,
        settings=settings,
        ray=RaySettings(workers=workers or None),
    )
    classifier = Classifier.load(job.model, settings)
    began = time.monotonic()
    summary = predict_csv(job, classifier=classifier)
    seconds = time.monotonic() - began
    assert rows == summary["rows"]
    digest = hashlib.sha256(output.read_bytes()).hexdigest()[:12]
    return {"rows": rows, "engine": engine, "workers": workers, "seconds": seconds, "digest": digest}


def _page(found: list[dict[str, Any]]) -> list[str]:
    load = os.getloadavg()[0]
    said = f"Cores: {cpu_threads.cores()}; load average at the end {load:.1f}. A student of two small layers, so that"
    lines = [
        f"{said} what is not the model shows.",
        "",
        "| rows | engine | workers | s | rows/s | output |",
        "| ---: | --- | ---: | ---: | ---: | --- |",
    ]
    lines += [
        f"| {one['rows']:,} | {one['engine']} | {one['workers'] or 1} | {one['seconds']:.1f} | "
        f"{one['rows'] / one['seconds']:,.0f} | {one['digest']} |"
        for one in found
    ]
    return [*lines, "", *_break_even(found)]


def _break_even(found: list[dict[str, Any]]) -> list[str]:
    """Where the lines through the smallest and the largest table of each way cross."""
    said = []
    sizes = sorted({one["rows"] for one in found})
    by_way = {(one["engine"], one["workers"], one["rows"]): one["seconds"] for one in found}

    def line(engine: str, workers: int) -> tuple[float, float]:
        few, many = by_way[engine, workers, sizes[0]], by_way[engine, workers, sizes[-1]]
        slope = (many - few) / (sizes[-1] - sizes[0])
        return few - slope * sizes[0], slope

    for workers in sorted({one["workers"] for one in found if one["engine"] == "ray"}):
        if len(sizes) < 2:
            break
        (local_fixed, local_slope), (ray_fixed, ray_slope) = line("local", 0), line("ray", workers)
        said.append(f"- Ray with {workers}: {ray_fixed - local_fixed:.0f} s more to begin with, ")
        if ray_slope < local_slope:
            rows = (ray_fixed - local_fixed) / (local_slope - ray_slope)
            said[-1] += f"{1e6 * (local_slope - ray_slope):.0f} s less for a million rows: even at {rows:,.0f} rows."
        else:
            said[-1] += f"and {1e6 * (ray_slope - local_slope):.0f} s more for a million rows: never even here."
    return said


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--memory-rows", type=int, nargs="+", default=[50_000, 500_000])
    parser.add_argument("--training-rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--dimensions", type=int, default=384, help="of the student's features, in the training job")
    parser.add_argument("--provider-rows", type=int, nargs="+", default=[10_000, 50_000, 200_000])
    parser.add_argument("--check", type=int, nargs="+", default=[2_000, 20_000], help="rows that plan is checked at")
    parser.add_argument("--plan-model", default="minilm", help="the encoder of plan's jobs, and of fine-tuning")
    parser.add_argument("--fine-tuning-rows", type=int, default=300)
    parser.add_argument("--times", type=int, default=2, help="that each way of fine-tuning is measured")
    parser.add_argument("--write", type=Path)
    parser.add_argument("--child")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
