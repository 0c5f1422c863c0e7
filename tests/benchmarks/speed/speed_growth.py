"""Stages of a round that are no model, over more and more rows: processor time, memory, and how both grow.

As a script (`speed_growth.py ROWS`) it measures one size in a process of its own and prints JSON.
"""

from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "shared"))

import place

SIZES = (1_000, 10_000, 100_000)
WARM_UP_ROWS = 200
ROUND_SECONDS_PER_ROW = 0.2
"""Processor time that a round's models take of a row, about (table of whole jobs): what a stage's share is of."""

Stage = tuple[str, Callable[[], object]]


@dataclasses.dataclass(frozen=True)
class Measured:
    """A stage over so many rows: seconds of the processor, MiB at its peak beyond what was there before it."""

    stage: str
    rows: int
    seconds: float
    mib: float


def measure(sizes: Sequence[int]) -> list[Measured]:
    """Every stage at every size."""
    found = []
    for rows in sizes:
        done = subprocess.run(
            [sys.executable, __file__, str(rows)], capture_output=True, text=True, check=True, cwd=place.ROOT
        )
        found += [Measured(**one) for one in json.loads(done.stdout)]
    return found


def exponent(rows: Sequence[int], values: Sequence[float]) -> float:
    """The slope of a line through log(values) over log(rows), by least squares: 1 where growth is linear."""
    x, y = ([math.log(max(one, 1e-6)) for one in side] for side in (rows, values))
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    return sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / sum((a - mean_x) ** 2 for a in x)


def table(found: Sequence[Measured]) -> str:
    """Markdown: a line per stage."""
    sizes = sorted({one.rows for one in found})
    by_stage: dict[str, list[Measured]] = {}
    for one in sorted(found, key=lambda one: one.rows):
        by_stage.setdefault(one.stage, []).append(one)
    seconds = " | ".join(f"s, {rows:,} rows" for rows in sizes)
    lines = [
        f"| stage | {seconds} | exponent | of a round | MiB beyond its data at {sizes[-1]:,} |",
        f"| --- |{' ---: |' * (len(sizes) + 3)}",
    ]
    for stage, ones in by_stage.items():
        # the smallest sizes are start-up and noise: the fit is over those that took some time
        grown = [one for one in ones if one.seconds >= 0.02] or ones
        fit = f"{exponent([one.rows for one in grown], [one.seconds for one in grown]):.2f}" if len(grown) > 1 else "-"
        share = ones[-1].seconds / (ones[-1].rows * ROUND_SECONDS_PER_ROW)
        cells = " | ".join(f"{one.seconds:.3f}" for one in ones)
        lines.append(f"| {stage} | {cells} | {fit} | {100 * share:.2f} % | {ones[-1].mib:,.0f} |")
    return "\n".join(lines)


def _stages(rows: int, folder: Path) -> Iterator[Stage]:
    import numpy as np
    import speed_synthetic_run as synthetic

    from freeal.aggregation.label_posterior import evidence_of
    from freeal.corrections import review_queue
    from freeal.evaluation.metrics import Evaluation, final_metrics, round_metrics
    from freeal.loop.final_label import decide_final_labels
    from freeal.loop.round_store import RoundStore
    from freeal.pool import near_duplicates
    from freeal.pool.text_pool import build_pool
    from freeal.report.collect_report import collect_report
    from freeal.report.report_page import render_report_page
    from freeal.results import output_files, previous_version
    from freeal.selection import clean_split, demonstration_retrieval, demonstration_selection, query_selection
    from freeal.table import read_table

    made = synthetic.make(folder, rows)
    run, state, pool, names = made.run, made.state, made.pool, synthetic.LABELS
    ids = np.array([names.index(note.label or "") for note in state.annotations])
    shown = [demo.index or 0 for demo in state.representatives]
    evidence = evidence_of(state.annotations, names)
    answers_only = dataclasses.replace(evidence, distributions=np.zeros_like(evidence.distributions))
    evaluation = Evaluation.of(pool)
    store = RoundStore(folder / "rounds", question="q")
    queue = review_queue.review_queue(state, pool, run.decisions)
    yield "table read", lambda: read_table(made.csv)
    yield "pool", lambda: build_pool(made.table, made.spec)
    yield "near duplicates", lambda: near_duplicates.near_duplicate_groups(pool.texts)
    yield "texts asked first (a tenth)", lambda: query_selection.spread_queries(state.embeddings, rows // 10, seed=0)
    yield (
        "texts asked again",
        lambda: query_selection.most_open_queries(state.posterior, list(range(len(pool))), len(pool) // 2),
    )
    yield (
        "retrieval",
        lambda: demonstration_retrieval.nearest_demonstrations(
            state.embeddings, state.embeddings[shown], ids[shown], shots=8, exclude=np.arange(len(pool))
        ),
    )
    yield "voices weighed", lambda: answers_only.posterior(state.held_out.astype(np.float64))
    yield (
        "clean split",
        lambda: clean_split.clean_evenly_over_labels(clean_split.split_clean(state.losses, ids), state.losses, ids),
    )
    yield (
        "representatives",
        lambda: demonstration_selection.representatives(
            state.embeddings, ids, ids >= 0, state.clean_probability, per_class=10, top_share=0.2, seed=0
        ),
    )
    yield (
        "round's metrics",
        lambda: round_metrics(
            1,
            asked=state.asked,
            annotations=state.annotations,
            proba=state.proba,
            clean_probability=state.clean_probability,
            labels=names,
            clean_threshold=0.7,
            evaluation=evaluation,
        ),
    )
    yield "round saved", lambda: store.save_round(state, _NoStudent())
    yield "round loaded", lambda: store.load_round(1)
    yield "final labels", lambda: decide_final_labels(state, names, abstain_below=0.0)
    yield "final metrics", lambda: final_metrics(run.decisions, pool, names)
    yield "review queue", lambda: review_queue.review_queue(state, pool, run.decisions)
    yield (
        "report",
        lambda: render_report_page(
            collect_report(run, metrics=run.metrics(), record=run.record(), queue=queue, previous=None)
        ),
    )
    yield (
        "audit.jsonl",
        lambda: output_files.write_audit(folder / "audit.jsonl", run.result, pool, models=[("p", "m")]),
    )
    yield (
        "annotated.csv",
        lambda: output_files.write_annotated(
            folder / "annotated.csv", run.table, pool, run.decisions, state.annotations
        ),
    )
    yield "answers.json written", lambda: previous_version.write_answers_json(folder, state, pool, run.answerers)
    yield "answers.json read", lambda: previous_version.annotations_alone(folder)
    yield "predictions without the model", lambda: _predict(made.csv, folder)


class _NoStudent:
    labels = ("a", "b")

    def save(self, folder: Path) -> None:
        (folder / "nothing").touch()


def _predict(csv: Path, folder: Path) -> None:
    import numpy as np
    import speed_synthetic_run as synthetic

    from freeal.prediction.prediction_job import PredictionJob
    from freeal.prediction.prediction_run import PredictionRun
    from freeal.prediction.published_model import Classifier
    from freeal.student.protocols import ReadText

    class Student:
        labels = synthetic.LABELS

        def read(self, texts: Sequence[str]) -> list[ReadText]:
            return [ReadText([1], cut=False) for _ in texts]

        def score(self, texts: Sequence[ReadText]) -> object:
            return np.full((len(texts), len(self.labels)), 1.0 / len(self.labels), dtype=np.float32)

    classifier = Classifier(Student(), {})
    job = PredictionJob(model=folder, input_csv=csv, output_csv=folder / "predicted.csv", text_columns=("text",))
    with PredictionRun(job, classifier) as run:
        while run.step():
            pass
        run.finish()


def _peak_mib() -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def _measured(rows: int, folder: Path) -> Iterator[Measured]:
    for stage, work in _stages(rows, folder):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew at what is there
        before, started = _peak_mib(), time.process_time()
        work()
        yield Measured(stage, rows, time.process_time() - started, _peak_mib() - before)


def main() -> None:
    """One size."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as warm_up:
        list(_measured(WARM_UP_ROWS, Path(warm_up)))  # what is imported late is no growth
        found = [dataclasses.asdict(one) for one in _measured(int(sys.argv[1]), Path(folder))]
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
