"""Fine-tuning by one process, and by workers of a Ray cluster of this machine, on the same rows: what it costs.

On the cores of one machine workers cannot be faster than the one process that uses them all; the table is about the
seconds before the first step, and what sharing a batch costs in each.
"""

# ruff: noqa: T201 - a command line prints

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from freeal.compute import cpu_threads
from freeal.executors.ray_cluster import is_installed
from freeal.executors.training.ray_training import RayTraining
from freeal.executors.training.training_task import LocalTraining, TrainingExecutor
from freeal.settings import RaySettings, StudentSettings
from freeal.student.finetune_trainer import TransformerTrainer
from freeal.student.labelled_texts import LabelledTexts
from freeal.student.protocols import Training
from freeal.testing.tiny_encoder import WORDS

EPOCHS = 2


class Timed:
    """A `TrainingExecutor` that keeps when its training began, when its first step was done, and when it ended."""

    name = "local"

    def __init__(self, inner: TrainingExecutor) -> None:
        self.inner = inner

    def train(self, task: Any, *, on_step: Any) -> int:
        """See `TrainingExecutor.train`."""
        began, first = time.monotonic(), 0.0

        def stepped(done: int, total: int) -> None:
            nonlocal first
            first = first or (time.monotonic() if done else 0.0)
            on_step(done, total)

        processes = self.inner.train(task, on_step=stepped)
        self.whole, self.before = time.monotonic() - began, first - began
        return processes


def fine_tuning(rows: int, *, workers: Sequence[int], times: int, model: str) -> list[str]:
    """The lines of the section: every way so often, in turns."""
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS.split(), 20)) + f" {number}" for number in range(rows)]
    labels = rng.integers(0, 2, rows).tolist()
    ways: dict[str, TrainingExecutor] = {"local": LocalTraining()}
    if is_installed():
        ways |= {f"ray, {count}": RayTraining(RaySettings(workers=count)) for count in workers}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    differs: dict[str, float] = {}
    local: Training | None = None
    for _ in range(times):
        for name, executor in ways.items():
            print(f"{rows:,} rows, {name}", file=sys.stderr)
            timed = Timed(executor)
            settings = StudentSettings(model=model, device="cpu", epochs=EPOCHS, max_length=64)
            trainer = TransformerTrainer(settings, executor=timed)
            training = trainer.fit(
                LabelledTexts(texts, labels), labels=("a", "b"), seed=0, on_step=lambda done, total: None
            )
            local = local or training
            differs[name] = float(np.abs(training.proba - local.proba).max())
            found[name].append((timed.before, timed.whole))
    return _page(rows, found, differs, model)


def _page(rows: int, found: dict[str, list[tuple[float, float]]], differs: dict[str, float], model: str) -> list[str]:
    load = os.getloadavg()[0]
    lines = [
        f"Cores: {cpu_threads.cores()}; load average at the end {load:.1f}. {rows:,} texts of 20 words, labels drawn",
        f"by chance, {EPOCHS} epochs of {model}, 32 texts a step. On the cores of one machine this shows what a",
        "cluster costs, not what it gives.",
        "",
        "| engine, workers | s before the first step | s in all | greatest difference of a probability from local |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name, pairs in found.items():
        before, whole = (" / ".join(f"{pair[at]:.0f}" for pair in pairs) for at in (0, 1))
        lines.append(f"| {name} | {before} | {whole} | {differs[name]:.4f} |")
    return lines
