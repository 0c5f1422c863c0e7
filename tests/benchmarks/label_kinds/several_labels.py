"""`kind: multi` on joined texts: FreeAL's student beside plain distillation of the same answers, and beside truth.

Run by `make bench-several-labels`. The data is synthetic: two news texts of AG News joined (or one alone), with the
labels of both. A scripted annotator, whose errors are drawn once per text, or the packaged language model answers.
Student, one-vs-rest on the annotator's labels as they are, and one-vs-rest on the true labels read the same features
and are measured on texts joined from the test file.
"""

# ruff: noqa: T201 - a command line prints

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "shared"))

import anyio
import numpy as np
import sections
from data_sets import DATA_SETS
from place import ROOT

from freeal.aggregation.label_membership import joined_names, membership
from freeal.evaluation.several_labels_metrics import several_labels_metrics
from freeal.job.run_training_job import train
from freeal.job.training_job import TrainingJob
from freeal.prediction.published_model import Classifier
from freeal.prediction.window_scoring import Scores
from freeal.settings import StudentSettings
from freeal.spec.job_spec import Spec
from freeal.student.trainer_factory import make_trainer
from freeal.testing.scripted_model import ScriptedModel, text_of
from freeal.text import joined_labels
from freeal.types import Prompt

SEEDS = (0, 1)
SECTION = "several labels"
ALONE = 0.35
"""Of the texts, those that are one news text alone."""
PACKAGED = "packaged model"


@dataclasses.dataclass(frozen=True)
class Annotator:
    """How often it misses a label that a text has, and names one that it has not."""

    name: str
    misses: float
    adds: float


ANNOTATORS = (
    Annotator("misses 25 %, adds 5 %", 0.25, 0.05),
    Annotator("misses 10 %, adds 10 %", 0.10, 0.10),
)
LABELS = DATA_SETS["agnews"].labels
NAMES = tuple(LABELS)


def joined_texts(path: Path, count: int, *, seed: int) -> tuple[list[str], list[str]]:
    """Titles of `count` pairs of rows, drawn by the seed, and their joined labels."""
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    rng = random.Random(seed)
    rng.shuffle(rows)
    texts, labels = [], []
    for one, other in zip(rows[0 : 2 * count : 2], rows[1 : 2 * count : 2], strict=True):
        is_alone = rng.random() < ALONE
        texts.append(one["title"] if is_alone else f"{one['title']}. {other['title']}")
        own = {one["label"]} if is_alone else {one["label"], other["label"]}
        labels.append(joined_labels.in_order(own, NAMES))
    return texts, labels


def answers_of(annotator: Annotator, labels: Sequence[str], *, seed: int) -> list[str]:
    """What it says, its errors drawn for each text and label."""
    own = membership(labels, NAMES)
    rng = np.random.default_rng([seed, round(100 * annotator.misses), round(100 * annotator.adds)])
    draws = rng.random(own.shape)
    return joined_names(np.where(own == 1, draws >= annotator.misses, draws < annotator.adds), NAMES)


def run(texts: Sequence[str], labels: Sequence[str], folder: Path, said: Sequence[str] | None, *, seed: int) -> Path:
    """A job on these texts, with what a scripted annotator `said`, or the packaged model; its folder."""
    table = folder / "in.csv"
    with table.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("text", "labels"), *zip(texts, labels, strict=True)])
    spec = Spec(
        name="several",
        description="Decide which topics a news text speaks of.",
        labels=dict(LABELS),
        kind="multi",
        label_column="labels",
        iterations=1,
        llm={"provider": "local"},
        student={"model": "minilm", "mode": "frozen", "seed": seed},
    )
    loop = {"demonstration_sets": 1} if said is None else {}
    job = TrainingJob(
        job_id="several", csv=table, spec=spec, output=folder / "out", work=folder / "work",
        answers=folder / "answers.sqlite", cache=ROOT / ".bench" / "cache", key_folder=folder, loop=loop,
    )  # fmt: skip
    model = None if said is None else _scripted(dict(zip(texts, said, strict=True)))
    anyio.run(lambda: train(job, environ={}, chat_model=model))
    return job.output


def _scripted(known: dict[str, str]) -> ScriptedModel:
    def respond(prompt: Prompt) -> str:
        if not prompt.labels:
            return json.dumps({"texts": []})
        return json.dumps({"labels": joined_labels.split(known[text_of(prompt.specific)]), "confidence": 0.9})

    return ScriptedModel(respond, rows_per_call=64)


def one_vs_rest(features: np.ndarray, labels: Sequence[str], judged: np.ndarray, *, tuned: bool = False) -> list[str]:
    """What scikit-learn's one-vs-rest learns of labels as they are, and says of other features; `tuned`: with the
    thresholds that cross-validation on those labels finds best for F1."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import TunedThresholdClassifierCV
    from sklearn.multiclass import OneVsRestClassifier

    plain = LogisticRegression(max_iter=1000, C=10.0)
    model = TunedThresholdClassifierCV(plain, scoring="f1", cv=4) if tuned else plain
    said = membership(labels, NAMES)
    if not tuned:
        return joined_names(OneVsRestClassifier(model).fit(features, said).predict(judged) == 1, NAMES)
    each = [model.fit(features, said[:, place]).predict(judged) for place in range(len(NAMES))]
    return joined_names(np.stack(each, axis=1) == 1, NAMES)


def measured(
    data: Path, annotator: Annotator | None, *, seed: int, rows: int, test_rows: int
) -> dict[str, list[float]]:
    """Micro F1, macro F1 and the share of texts all right, of every method; `pool:` on the texts it learned from."""
    texts, labels = joined_texts(data / "agnews" / "train.csv", rows, seed=seed)
    new, truth = joined_texts(data / "agnews" / "test.csv", test_rows, seed=seed + 100)
    said = None if annotator is None else answers_of(annotator, labels, seed=seed)
    with tempfile.TemporaryDirectory() as scratch:
        folder = run(texts, labels, Path(scratch), said, seed=seed)
        with (folder / "annotated.csv").open(encoding="utf-8", newline="") as stream:
            found = {row["text"]: row for row in csv.DictReader(stream)}
        answered = [found[text]["freeal_llm_label"] or joined_labels.NONE for text in texts]
        final = [found[text]["freeal_labels"] for text in texts]
        classifier = Classifier.load(folder)
        proba = classifier.student.predict_proba(new)
    scores = Scores(proba, np.zeros(len(new), dtype=bool), "multi", classifier.thresholds)
    even = Scores(proba, np.zeros(len(new), dtype=bool), "multi")
    trainer = make_trainer(StudentSettings(model="minilm", mode="frozen"), texts=len(texts), kind="multi")
    features, judged = trainer.embed(texts), trainer.embed(new)
    given = {
        "pool: language model": (labels, answered),
        "pool: FreeAL, final labels": (labels, final),
        "test: FreeAL, student": (truth, [scores.label(place, NAMES) for place in range(len(new))]),
        "test: FreeAL, thresholds of one half": (truth, [even.label(place, NAMES) for place in range(len(new))]),
        "test: plain one-vs-rest on the answers": (truth, one_vs_rest(features, answered, judged)),
        "test: on the answers, thresholds tuned": (
            truth,
            one_vs_rest(features, answered, judged, tuned=True),
        ),
        "test: one-vs-rest on true labels": (truth, one_vs_rest(features, labels, judged)),
        "test: on true labels, thresholds tuned": (truth, one_vs_rest(features, labels, judged, tuned=True)),
    }
    found_scores = {name: several_labels_metrics(true, own, NAMES) for name, (true, own) in given.items()}
    return {name: [one["micro_f1"], one["macro_f1"], one["subset_accuracy"]] for name, one in found_scores.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 0 also where the data is missing, which is said."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-folder", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--rows", type=int, default=800, help="texts to learn from (default 800)")
    parser.add_argument("--test-rows", type=int, default=800, help="texts to measure on (default 800)")
    parser.add_argument("--packaged-rows", type=int, default=0, help="also the packaged language model, on so many")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the tables into that file's section")
    chosen = parser.parse_args(arguments)
    if not (chosen.data_folder / "agnews").is_dir():
        print(f"no data in {chosen.data_folder}: --data-folder names it", file=sys.stderr)
        return 0
    tables = []
    packaged = [None] if chosen.packaged_rows else []
    for annotator in (*ANNOTATORS, *packaged):
        rows = chosen.rows if annotator else chosen.packaged_rows
        seeds = chosen.seeds if annotator else chosen.seeds[:1]
        each = []
        for seed in seeds:
            each.append(measured(chosen.data_folder, annotator, seed=seed, rows=rows, test_rows=chosen.test_rows))
            print(annotator.name if annotator else PACKAGED, seed, each[-1], flush=True)
        tables.append(_table(annotator.name if annotator else PACKAGED, rows, seeds, each))
    print(text := "\n\n".join(tables))
    if chosen.write:
        sections.replace(chosen.write, SECTION, text)
    return 0


def _table(name: str, rows: int, seeds: Sequence[int], each: Sequence[dict[str, list[float]]]) -> str:
    lines = [f"### Annotator: {name}; {rows} texts, seeds {', '.join(map(str, seeds))}", ""]
    lines += ["| of | micro F1 | macro F1 | all labels right |", "| --- | --- | --- | --- |"]
    for method in each[0]:
        cells = [" / ".join(f"{one[method][place] * 100:.1f}" for one in each) for place in range(3)]
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
