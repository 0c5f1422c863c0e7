"""`kind: ordinal` on reviews of 1 to 5 stars: beside `kind: single`, plain distillation of the same answers, and truth.

Run by `make bench-ordinal`. The reviews are synthetic, written for this benchmark (star_reviews.md). A part drawn by
the seed is labelled, the others are held out. A scripted annotator, whose errors are drawn once per text and mostly lie
one star off, or the packaged language model answers; every method learns from the same answers and the same features.
"""

# ruff: noqa: T201 - a command line prints

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "shared"))

import anyio
import numpy as np
import sections
from place import ROOT

from freeal.aggregation.label_choice import labels_of
from freeal.evaluation.ordinal_metrics import ordinal_metrics
from freeal.job.run_training_job import train
from freeal.job.training_job import TrainingJob
from freeal.prediction.published_model import Classifier
from freeal.settings import StudentSettings
from freeal.spec.job_spec import Spec
from freeal.student.trainer_factory import make_trainer
from freeal.testing.scripted_model import ScriptedModel, text_of
from freeal.types import Kind, Prompt

REVIEWS = Path(__file__).with_name("star_reviews.csv")
SEEDS = (0, 1)
SECTION = "ordinal labels"
STARS = ("1", "2", "3", "4", "5")
MEANINGS = ("awful, broken or useless", "disappointing", "acceptable, neither good nor bad", "good", "excellent")
ONE_OFF = 0.85
"""Of an annotator's errors, those that lie one star off; the others lie further."""
PACKAGED = "packaged model"
FIGURES = ("accuracy", "mean distance", "quadratic kappa")


@dataclasses.dataclass(frozen=True)
class Annotator:
    """How many of its answers are wrong."""

    errors: float

    @property
    def name(self) -> str:
        """In words, for a table's title."""
        return f"{self.errors:.0%} wrong, {ONE_OFF:.0%} of them by one star".replace("%", " %")


ANNOTATORS = (Annotator(0.3), Annotator(0.5))


def reviews() -> list[tuple[str, str]]:
    """Text and star of each review, in the file's order."""
    with REVIEWS.open(encoding="utf-8", newline="") as stream:
        return [(row["text"], row["stars"]) for row in csv.DictReader(stream)]


def answers_of(annotator: Annotator, stars: Sequence[str], *, seed: int) -> list[str]:
    """What it says of texts with these stars: drawn for each, from the ends inwards, else up or down alike."""
    rng = np.random.default_rng([seed, round(100 * annotator.errors)])
    said = []
    for star in stars:
        at, draws = STARS.index(star), rng.random(3)
        near = [other for other in range(len(STARS)) if abs(other - at) == 1]
        far = [other for other in range(len(STARS)) if abs(other - at) > 1]
        others = near if draws[1] < ONE_OFF else far
        said.append(star if draws[0] >= annotator.errors else STARS[others[int(draws[2] * len(others))]])
    return said


def run(pool: Sequence[tuple[str, str]], folder: Path, said: Sequence[str] | None, *, kind: Kind, seed: int) -> Path:
    """A job on these reviews, with what a scripted annotator `said`, or the packaged model; its folder."""
    table = folder / "in.csv"
    with table.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("text", "stars"), *pool])
    spec = Spec(
        name="stars",
        description="How many stars does the author of this review give?",
        labels=dict(zip(STARS, MEANINGS, strict=True)),
        kind=kind,
        label_column="stars",
        iterations=2,
        llm={"provider": "local"},
        student={"model": "minilm", "mode": "frozen", "seed": seed},
    )
    job = TrainingJob(
        job_id="stars", csv=table, spec=spec, output=folder / kind, work=folder / f"{kind}-work",
        answers=folder / "answers.sqlite", cache=ROOT / ".bench" / "cache", key_folder=folder,
    )  # fmt: skip
    model = None if said is None else _scripted({text: star for (text, _), star in zip(pool, said, strict=True)})
    anyio.run(lambda: train(job, environ={}, chat_model=model))
    return job.output


def _scripted(known: dict[str, str]) -> ScriptedModel:
    def respond(prompt: Prompt) -> str:
        if not prompt.labels:
            return json.dumps({"texts": []})
        return json.dumps({"label": known[text_of(prompt.specific)], "confidence": 0.9})

    return ScriptedModel(respond, rows_per_call=64)


def logistic(features: np.ndarray, stars: Sequence[str], judged: np.ndarray) -> np.ndarray:
    """What scikit-learn's logistic regression learns of stars as they are: probabilities [n, 5] of other features."""
    from sklearn.linear_model import LogisticRegression

    found = np.zeros((len(judged), len(STARS)))
    model = LogisticRegression(max_iter=1000, C=10.0).fit(features, stars)
    found[:, [STARS.index(star) for star in model.classes_]] = model.predict_proba(judged)
    return found


def measured(annotator: Annotator | None, *, seed: int, rows: int) -> dict[str, list[float]]:
    """The figures of every method; `pool:` on the reviews it learned from, `held out:` on the others."""
    every = reviews()
    drawn = np.random.default_rng(seed).permutation(len(every))
    pool, held_out = ([every[place] for place in part] for part in (drawn[:rows], drawn[rows:]))
    texts, stars = zip(*pool, strict=True)
    new, truth = zip(*held_out, strict=True)
    said = None if annotator is None else answers_of(annotator, stars, seed=seed)
    given: dict[str, tuple[Sequence[str], Sequence[str]]] = {}
    kinds: tuple[Kind, ...] = ("single", "ordinal")
    with tempfile.TemporaryDirectory() as scratch:
        for kind in kinds:
            folder = run(pool, Path(scratch), said, kind=kind, seed=seed)
            with (folder / "annotated.csv").open(encoding="utf-8", newline="") as stream:
                found = {row["text"]: row for row in csv.DictReader(stream)}
            proba = Classifier.load(folder).student.predict_proba(list(new))
            if kind == "single":
                answered = said or [found[text]["freeal_llm_label"] for text in texts]
                given["pool: language model"] = (stars, answered)
            given[f"pool: FreeAL, kind {kind}, final labels"] = (stars, [found[text]["freeal_label"] for text in texts])
            given[f"held out: FreeAL, kind {kind}, student"] = (truth, labels_of(proba, STARS, kind)[0])
    trainer = make_trainer(StudentSettings(model="minilm", mode="frozen"), texts=len(texts))
    features, judged = trainer.embed(list(texts)), trainer.embed(list(new))
    for name, taught in (("the answers", answered), ("true stars", stars)):
        proba = logistic(features, taught, judged)
        given[f"held out: logistic regression on {name}, likeliest"] = (truth, labels_of(proba, STARS, "single")[0])
        given[f"held out: logistic regression on {name}, median"] = (truth, labels_of(proba, STARS, "ordinal")[0])
    return {name: _figures(true, own) for name, (true, own) in sorted(given.items(), key=lambda one: _place(one[0]))}


def _figures(truth: Sequence[str], given: Sequence[str]) -> list[float]:
    order = ordinal_metrics(truth, given, STARS)
    right = float(np.mean([one == other for one, other in zip(truth, given, strict=True)]))
    return [100 * right, order["mean_distance"], order["quadratic_kappa"]]


def _place(method: str) -> tuple[bool, bool, bool, bool]:
    """The pool first, those that take answers as they are before FreeAL, what true stars teach last."""
    return (method.startswith("held"), "true" in method, "FreeAL" in method, "ordinal" in method or "median" in method)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--rows", type=int, default=400, help="reviews to label, of 600 (default 400)")
    parser.add_argument("--packaged", action="store_true", help="the packaged language model in place of the script")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the tables into that file's section")
    chosen = parser.parse_args(arguments)
    tables = []
    annotators: tuple[Annotator | None, ...] = (None,) if chosen.packaged else ANNOTATORS
    for annotator in annotators:
        each = []
        for seed in chosen.seeds:
            each.append(measured(annotator, seed=seed, rows=chosen.rows))
            print(annotator.name if annotator else PACKAGED, seed, each[-1], flush=True)
        tables.append(_table(annotator.name if annotator else PACKAGED, chosen, each))
    print(text := "\n\n".join(tables))
    if chosen.write:
        sections.replace(chosen.write, SECTION, text)
    return 0


def _table(name: str, chosen: argparse.Namespace, each: Sequence[dict[str, list[float]]]) -> str:
    seeds = ", ".join(map(str, chosen.seeds))
    lines = [f"### Stars, annotator: {name}; {chosen.rows} reviews, seeds {seeds}", ""]
    lines += [f"| of | {' | '.join(FIGURES)} |", f"| --- |{' ---: |' * len(FIGURES)}"]
    for method in each[0]:
        columns = zip(*(one[method] for one in each), strict=True)
        shown = zip(columns, (1, 2, 2), strict=True)
        cells = [" / ".join(f"{value:.{digits}f}" for value in own) for own, digits in shown]
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
