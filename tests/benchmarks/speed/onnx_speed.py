"""An exported classifier beside torch: speed, and what 8-bit weights do to labels and probabilities.

python tests/benchmarks/speed/onnx_speed.py [--rows 1000] [--turns 3]

The classifier is the packaged encoder with a head fitted on the true labels of inbox/samples/reviews.csv; the texts are
those reviews, over and over. Each way scores the same texts in turns, and the median of the turns counts, so that what
else the machine does weighs on all of them alike.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "shared"))

import numpy as np
from place import ROOT


def _student(folder: Path) -> list[str]:
    """A classifier in `folder`; the texts it was made of."""
    from freeal.settings import StudentSettings
    from freeal.student.trainer_factory import make_trainer
    from freeal.testing.weighed_labels import weighed
    from freeal.text.row_text import row_text

    with (ROOT / "inbox" / "samples" / "reviews.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["sentiment"]]
    texts = [row_text(["title", "body"], [row["title"], row["body"]]) for row in rows]
    labels = sorted({row["sentiment"] for row in rows})
    trainer = make_trainer(StudentSettings(model="minilm", mode="frozen"), texts=len(texts))
    data = weighed(texts, [labels.index(row["sentiment"]) for row in rows], labels=len(labels))
    training = trainer.fit(data, labels=labels, seed=0, on_step=lambda done, total: None)
    folder.mkdir()
    training.student.save(folder)
    return texts


def _seconds(ways: dict[str, Callable[[], object]], turns: int) -> dict[str, float]:
    found: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(turns + 1):
        for name, score in ways.items():
            began = time.perf_counter()
            score()
            if turn:  # the first warms up
                found[name].append(time.perf_counter() - began)
    return {name: statistics.median(times) for name, times in found.items()}


def main() -> int:
    """Measure and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000)
    parser.add_argument("--turns", type=int, default=3)
    arguments = parser.parse_args()
    from freeal.export.onnx_classifier import OnnxClassifier
    from freeal.export.onnx_model import export_onnx
    from freeal.settings import StudentSettings
    from freeal.student.model_folder import load_student

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        distinct = _student(folder / "model")
        export_onnx(folder / "model", folder / "onnx")
        small = export_onnx(folder / "model", folder / "int8", int8=True, texts=distinct)
        texts = [f"{distinct[row % len(distinct)]} ({row})" for row in range(arguments.rows)]
        plain = {
            precision: load_student.load(
                folder / "model",
                settings=StudentSettings(device="cpu", precision=precision),  # type: ignore[arg-type]
            )
            for precision in ("fp32", "bf16")
        }
        models = {name: OnnxClassifier(folder / name) for name in ("onnx", "int8")}
        ways: dict[str, Callable[[], object]] = {
            "torch, fp32": lambda: plain["fp32"].predict_proba(texts),
            "torch, bf16": lambda: plain["bf16"].predict_proba(texts),
            "ONNX": lambda: models["onnx"].predict_proba(texts),
            "ONNX, 8-bit weights": lambda: models["int8"].predict_proba(texts),
        }
        seconds = _seconds(ways, arguments.turns)
        base = plain["fp32"].predict_proba(distinct)
        answers = {
            "torch, fp32": base,
            "torch, bf16": plain["bf16"].predict_proba(distinct),
            "ONNX": models["onnx"].predict_proba(distinct),
            "ONNX, 8-bit weights": models["int8"].predict_proba(distinct),
        }
        header = ("rows/s", "beside torch fp32", f"other labels, of {len(distinct)}", "largest difference")
        lines = [f"| {arguments.rows:,} texts | {' | '.join(header)} |", "| --- | ---: | ---: | ---: | ---: |"]
        for name, taken in seconds.items():
            ratio = seconds["torch, fp32"] / taken
            changed = float((answers[name].argmax(axis=1) != base.argmax(axis=1)).mean())
            far = float(np.abs(answers[name] - base).max())
            lines.append(f"| {name} | {arguments.rows / taken:,.0f} | {ratio:.2f} x | {changed:.1%} | {far:.1e} |")
        lines += ["", f"8-bit weights as the export itself measured them: {small.measured}"]
        sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
