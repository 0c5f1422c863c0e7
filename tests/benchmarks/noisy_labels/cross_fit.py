"""`make bench-accuracy ARGS="--table cross_fit"`: labels judged by heads on untrained features, or by encoders that
were fine-tuned on the other half (`student.cross_fit`).

The same annotators as in the table of voices, with a fine-tuned student: the final labels of both ways and the student
that comes of each, on test rows. A cell that is done is kept, and is not measured again.
"""

# ruff: noqa: T201 - a command line prints

from __future__ import annotations

import argparse
import dataclasses
import itertools
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import noisy_annotators
import numpy as np
import place
import provenance
import sections
from data_sets import DATA_SETS, LABEL_COLUMN, draw
from results import Results
from voices import numbers, words

from freeal.aggregation.label_posterior import Evidence
from freeal.aggregation.label_similarity import nearness_to_labels
from freeal.evaluation.metrics import calibration_error
from freeal.settings import StudentSettings
from freeal.student.labelled_texts import LabelledTexts
from freeal.student.protocols import NO_LABEL
from freeal.student.trainer_factory import make_trainer
from freeal.types import Label

PACKAGES = ("freeal-daemon", "torch", "transformers", "scikit-learn", "numpy")
JUDGES = ("head", "encoder")
FIGURES = ("judge", "final", "off", "test", "seconds")
_LEGEND = """\
Percent, mean over n draws, every text asked once. *annotator*: its labels; *judge*: what says of each text without its
label; *final*: labels of the posterior; *off*: their calibration error, points; *test*: the student that was trained on
it, on test rows; *time*: processor seconds of the whole fit, times that with heads."""


@dataclasses.dataclass(frozen=True)
class Drawn:
    """A pool with its true label ids, and test rows."""

    texts: list[str]
    truth: np.ndarray
    test_texts: list[str]
    test: np.ndarray
    labels: tuple[str, ...]
    beliefs: np.ndarray


def main(arguments: Sequence[str]) -> int:
    """Measure what is not measured yet, then print the table or write it."""
    given = _parser().parse_args(arguments)
    results = Results(given.results)
    done = {_key(record["cell"]): record["found"] for record in results.records()}
    for seed, data in itertools.product(given.seeds, given.data):
        drawn = None
        for cell in _cells(given, data, seed):
            if _key(cell) in done:
                continue
            drawn = drawn or draw_pool(data, given.data_folder, rows=given.rows, test_rows=given.test_rows, seed=seed)
            done[_key(cell)] = found = measure(cell, drawn)
            results.append({"cell": cell, "found": found})
            print(cell["data"], cell["kind"], cell["error"], seed, cell["judge"], found, flush=True)
    text = f"{_heading(given)}\n\n{table(given, done)}\n\n{in_short(given, done)}"
    if given.write is None:
        print(f"\n{text}")
    else:
        sections.replace(given.write, "cross-fit", text)
        print(f"wrote {given.write}")
    return 0


def draw_pool(data: str, folder: Path, *, rows: int, test_rows: int, seed: int) -> Drawn:
    """Rows in the order of the seed."""
    data_set = DATA_SETS[data]
    names = tuple(data_set.labels)
    parts = [
        draw(data_set, folder, split=split, rows=size, seed=seed)
        for split, size in (("train", rows), ("test", test_rows))
    ]
    texts, tests = ([noisy_annotators.text_of(row, data_set) for row in part] for part in parts)
    truth, test = (np.array([names.index(row[LABEL_COLUMN]) for row in part]) for part in parts)
    return Drawn(texts, truth, tests, test, names, noisy_annotators.bag_of_words_beliefs(texts, truth))


def measure(cell: dict[str, Any], pool: Drawn) -> dict[str, float]:
    """`annotator` and each of FIGURES, shares but for the seconds."""
    labels, seed = pool.labels, cell["seed"]
    answers = noisy_annotators.made(
        cell["kind"], pool.truth, pool.beliefs, error=cell["error"] / 100, labels=len(labels), seed=seed
    )
    trainer = make_trainer(
        StudentSettings(model=cell["student"], mode="finetune", cross_fit=cell["judge"]), texts=len(pool.texts)
    )
    meanings = [Label(name, meaning) for name, meaning in DATA_SETS[cell["data"]].labels.items()]
    near = nearness_to_labels(pool.texts, meanings, trainer.embed)
    nobody = np.full(len(answers), NO_LABEL)
    evidence = Evidence(answers, np.zeros((len(answers), len(labels))), nobody, near)
    taught = LabelledTexts(pool.texts, answers.tolist(), weigh=evidence.targets)
    began = time.process_time()
    training = trainer.fit(taught, labels=labels, seed=seed, on_step=lambda *_: None)
    seconds = time.process_time() - began
    final = evidence.posterior(training.held_out.astype(np.float64)).proba
    right = final.argmax(axis=1) == pool.truth
    said = training.student.predict_proba(pool.test_texts).argmax(axis=1)
    return {
        "annotator": float((answers == pool.truth).mean()),
        "judge": float((training.held_out.argmax(axis=1) == pool.truth).mean()),
        "final": float(right.mean()),
        "off": float(calibration_error(np.minimum(final.max(axis=1), 1.0), right)),
        "test": float((said == pool.test).mean()),
        "seconds": round(seconds, 1),
    }


Done = dict[tuple[Any, ...], dict[str, float]]


def table(given: argparse.Namespace, done: Done) -> str:
    """Markdown, a row per data set and annotator."""
    head = "| data, annotator, % wrong | n | annotator "
    head += "".join(f"| by {one}s: judge | final | off | test " for one in JUDGES)
    lines = [head + "| time |", "| --- |" + " ---: |" * (3 + 4 * len(JUDGES))]
    for name, found in _means(given, done).items():
        figures = [f"{100 * found[one][which]:.1f}" for one in JUDGES for which in FIGURES[:-1]]
        times = found["encoder"]["seconds"] / found["head"]["seconds"]
        annotator = f"{100 * found['head']['annotator']:.1f}"
        lines.append(f"| {name} | {found['head']['n']:.0f} | {annotator} | {' | '.join(figures)} | {times:.1f} |")
    return "\n".join(lines)


def in_short(given: argparse.Namespace, done: Done) -> str:
    """What the encoders' judgement brings, by the annotator's share of errors, and the cells that lose."""
    found = _means(given, done)
    lines = []
    for error in given.errors:
        of = [one for name, one in found.items() if name.endswith(f" {error}")]
        if of:
            gains = {
                which: 100 * np.mean([one["encoder"][which] - one["head"][which] for one in of]) for which in FIGURES
            }
            lines.append(
                f"- {error} % wrong, {len(of)} annotators: final labels {gains['final']:+.1f} points, calibration "
                f"error {gains['off']:+.1f}, student on test rows {gains['test']:+.1f}"
            )
    below = {
        judge: [
            f"{name} ({gap:+.1f})"
            for name, one in found.items()
            if (gap := 100 * (one[judge]["final"] - max(one[judge]["annotator"], one[judge]["test"]))) < -0.5
        ]
        for judge in JUDGES
    }
    for judge, cells in below.items():
        lines.append(
            f"- judged by {judge}s, more than half a point below the better of annotator and student (on test rows): "
            f"{len(cells)} of {len(found)}{': ' if cells else ''}{', '.join(cells)}"
        )
    return "\n".join(lines)


def _means(given: argparse.Namespace, done: Done) -> dict[str, dict[str, dict[str, float]]]:
    """By annotator and judge, over the draws that both have judged."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for data, kind, error in itertools.product(given.data, given.kinds, given.errors):
        draws = []
        for seed in given.seeds:
            own = [one for one in _cells(given, data, seed) if (one["kind"], one["error"]) == (kind, error)]
            cells = {one["judge"]: _key(one) for one in own}
            if all(key in done for key in cells.values()):
                draws.append({judge: done[key] for judge, key in cells.items()})
        if draws:
            found[f"{data}, {kind} {error}"] = {
                judge: {name: float(np.mean([one[judge][name] for one in draws])) for name in draws[0][judge]}
                | {"n": len(draws)}
                for judge in JUDGES
            }
    return found


def _cells(given: argparse.Namespace, data: str, seed: int) -> Iterator[dict[str, Any]]:
    for kind, error, judge in itertools.product(given.kinds, given.errors, JUDGES):
        cell = {"data": data, "kind": kind, "error": error, "judge": judge, "seed": seed}
        yield cell | {"rows": given.rows, "tests": given.test_rows, "student": given.student}


def _key(cell: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(sorted(cell.items()))


def _heading(given: argparse.Namespace) -> str:
    seeds = ", ".join(map(str, given.seeds))
    return "\n".join(
        [
            "## Who judges labels",
            "",
            provenance.command("bench-accuracy", given, _parser()),
            "",
            provenance.source(PACKAGES),
            f"- student: {given.student}, fine-tuned; seeds {seeds}; {given.rows} pool rows",
            "",
            _LEGEND,
        ]
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cross_fit.py", description=__doc__)
    parser.add_argument("--table", default="", help="cross_fit: this one")
    parser.add_argument("--data", type=words, default=("mr", "cr", "trec", "agnews"))
    parser.add_argument("--kinds", type=words, default=noisy_annotators.KINDS)
    parser.add_argument("--errors", type=numbers, default=(4, 15, 30), help="percent of the answers that are wrong")
    parser.add_argument("--rows", type=int, default=800)
    parser.add_argument("--test-rows", type=int, default=500)
    parser.add_argument("--seeds", type=numbers, default=(60, 61))
    parser.add_argument("--student", default="minilm", help="as student.model")
    parser.add_argument("--results", type=Path, default=place.STATE / "cross_fit.jsonl")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into this file's section")
    parser.add_argument("--data-folder", type=Path, default=place.ROOT.parent / "shared" / "data")
    return parser
