"""`make bench-accuracy ARGS="--table trainer"`: students of noisy labels beside plain `transformers.Trainer`.

Same rows, same labels, a known share of them wrong by chance; the student is taught what the voices make of the labels,
as a job with an annotator that answers with a label only would teach it (without the labels' meanings: the Trainer does
not know them either). A cell that is done is kept, and is not measured again.
"""

# ruff: noqa: T201 - a command line prints

from __future__ import annotations

import argparse
import collections
import dataclasses
import itertools
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import noisy_annotators
import numpy as np
import place
import plain_trainer
import provenance
import sections
from data_sets import DATA_SETS, LABEL_COLUMN, draw
from results import Results
from voices import numbers, words

from freeal.aggregation.label_posterior import Evidence
from freeal.settings import StudentSettings
from freeal.student.encoder import locate_encoder
from freeal.student.labelled_texts import LabelledTexts
from freeal.student.protocols import NO_LABEL
from freeal.student.trainer_factory import make_trainer

PACKAGES = ("freeal-daemon", "torch", "transformers", "scikit-learn", "numpy")
MOST_BELOW, LEAST_ABOVE, MANY_ERRORS = 0.5, 3.0, 20
"""The goal: never so many points below the Trainer, and so many above it from so many percent of errors on."""
_LEGEND = """\
Test accuracy in percent, mean over the seeds, of students that learned from the same rows and the same labels, some of
which are wrong by chance. *Trainer*: `transformers.Trainer` with its defaults (three epochs, rate 5e-5, batch 32), the
whole encoder; *fine-tuned*, *frozen*: FreeAL's students at their defaults; Δ is to the Trainer."""

Way = str
TRAINER, FINETUNED, FROZEN = "trainer", "finetune", "frozen"


@dataclasses.dataclass(frozen=True)
class Rows:
    """Texts and label ids to learn from (some of them wrong) and to be tested on."""

    texts: Sequence[str]
    given: np.ndarray
    test_texts: Sequence[str]
    test: np.ndarray
    labels: tuple[str, ...]


def main(arguments: Sequence[str]) -> int:
    """Measure what is not measured yet, then print the table or write it."""
    given = _parser().parse_args(arguments)
    results = Results(given.results)
    done = {_key(record["cell"]): record["accuracy"] for record in results.records()}
    for data, error, seed, way in itertools.product(given.data, given.errors, given.seeds, given.ways):
        cell = {"data": data, "error": error, "seed": seed, "way": way, "rows": given.rows, "tests": given.test_rows}
        cell |= {"student": given.student, "note": given.note if way != TRAINER else ""}
        if _key(cell) in done:
            continue
        started = time.monotonic()
        rows = rows_of(data, given.data_folder, rows=given.rows, test_rows=given.test_rows, error=error, seed=seed)
        done[_key(cell)] = accuracy = measure(way, rows, student=given.student, seed=seed)
        results.append({"cell": cell, "accuracy": accuracy, "seconds": round(time.monotonic() - started, 1)})
        print(f"{data}, {error} % wrong, seed {seed}, {way}: {100 * accuracy:.1f}", flush=True)
    found = {
        (data, error, way): [done[key] for seed in given.seeds if (key := _of(given, data, error, seed, way)) in done]
        for data, error, way in itertools.product(given.data, given.errors, given.ways)
    }
    text = f"{_heading(given)}\n\n{table(found)}\n\n{in_short(found)}"
    if given.write is None:
        print(f"\n{text}")
    else:
        sections.replace(given.write, "trainer", text)
        print(f"wrote {given.write}")
    return 0


def rows_of(data: str, folder: Path, *, rows: int, test_rows: int, error: int, seed: int) -> Rows:
    """Rows in the order of the seed, `error` percent of the labels to learn from replaced by any other one."""
    data_set = DATA_SETS[data]
    names = tuple(data_set.labels)
    train = draw(data_set, folder, split="train", rows=rows, seed=seed)
    test = draw(data_set, folder, split="test", rows=test_rows, seed=0)
    truth = np.array([names.index(row[LABEL_COLUMN]) for row in train])
    nothing = np.zeros((len(truth), len(names)))
    return Rows(
        [noisy_annotators.text_of(row, data_set) for row in train],
        noisy_annotators.made("random", truth, nothing, error=error / 100, labels=len(names), seed=seed),
        [noisy_annotators.text_of(row, data_set) for row in test],
        np.array([names.index(row[LABEL_COLUMN]) for row in test]),
        names,
    )


def measure(way: Way, rows: Rows, *, student: str, seed: int) -> float:
    """Test accuracy of one way to learn from `rows`."""
    if way == TRAINER:
        folder = locate_encoder.resolve_weights(student).folder
        said = plain_trainer.train(folder, rows.texts, rows.given.tolist(), labels=len(rows.labels), seed=seed)
        return float((said(rows.test_texts) == rows.test).mean())
    settings = StudentSettings(model=student, mode=way, seed=seed)  # type: ignore[arg-type]  # one of its modes
    nobody = np.full(len(rows.given), NO_LABEL)
    evidence = Evidence(rows.given, np.zeros((len(rows.given), len(rows.labels))), nobody)
    taught = LabelledTexts(rows.texts, rows.given.tolist(), weigh=evidence.targets)
    trainer = make_trainer(settings, texts=len(rows.texts))
    trained = trainer.fit(taught, labels=rows.labels, seed=seed, on_step=lambda *_: None)
    return float((trained.student.predict_proba(rows.test_texts).argmax(axis=1) == rows.test).mean())


Found = dict[tuple[str, int, Way], list[float]]


def table(found: Found) -> str:
    """Markdown, a row per data set and share of errors."""
    lines = ["| data, % wrong | n | Trainer | fine-tuned | Δ | frozen | Δ |", "| --- | ---: " + "| ---: " * 5 + "|"]
    for data, error in dict.fromkeys((data, error) for data, error, _ in found):
        of = {way: found.get((data, error, way), []) for way in (TRAINER, FINETUNED, FROZEN)}
        cells = [f"{data}, {error}", str(max(map(len, of.values()))), _percent(of[TRAINER])]
        for way in (FINETUNED, FROZEN):
            cells += [_percent(of[way]), _difference(of[way], of[TRAINER])]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def in_short(found: Found) -> str:
    """Which cells miss what is asked of a student."""
    lines = []
    for way, name in ((FINETUNED, "fine-tuned"), (FROZEN, "frozen")):
        gaps: dict[str, list[float]] = collections.defaultdict(list)
        missed = []
        for (data, error, which), ours in found.items():
            theirs = found.get((data, error, TRAINER), [])
            if which != way or not ours or len(ours) != len(theirs):
                continue
            gap = round(100 * float(np.mean(ours) - np.mean(theirs)), 2)
            gaps["many" if error >= MANY_ERRORS else "few"].append(gap)
            if gap < (LEAST_ABOVE if error >= MANY_ERRORS else -MOST_BELOW):
                missed.append(f"{data}, {error} % wrong: {gap:+.1f}")
        means = "; ".join(
            f"{np.mean(gaps[key]):+.1f} on average with {what}"
            for key, what in (("few", f"fewer than {MANY_ERRORS} % wrong"), ("many", f"{MANY_ERRORS} % and more"))
            if gaps[key]
        )
        lines.append(f"- *{name}*: {means or 'not measured'}; misses the goal: {', '.join(missed) or 'nowhere'}")
    return "\n".join(lines)


def _percent(values: Sequence[float]) -> str:
    return f"{100 * np.mean(values):.1f}" if values else ""


def _difference(ours: Sequence[float], theirs: Sequence[float]) -> str:
    return f"{100 * (np.mean(ours) - np.mean(theirs)):+.1f}" if ours and len(ours) == len(theirs) else ""


def _of(given: argparse.Namespace, data: str, error: int, seed: int, way: Way) -> tuple[Any, ...]:
    cell = {"data": data, "error": error, "seed": seed, "way": way, "rows": given.rows, "tests": given.test_rows}
    return _key(cell | {"student": given.student, "note": given.note if way != TRAINER else ""})


def _key(cell: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(sorted(cell.items()))


def _heading(given: argparse.Namespace) -> str:
    seeds = ", ".join(map(str, given.seeds))
    return "\n".join(
        [
            "## Beside the Trainer",
            "",
            provenance.command("bench-accuracy", given, _parser()),
            "",
            provenance.source(PACKAGES),
            f"- student: {given.student}; seeds {seeds}; {given.rows} rows, {given.test_rows} test rows at most",
            "",
            _LEGEND,
        ]
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="trainer.py", description=__doc__)
    parser.add_argument("--table", default="", help="trainer: this one")
    parser.add_argument("--data", type=words, default=("mr", "trec"))
    parser.add_argument("--errors", type=numbers, default=(5, 20, 35), help="percent of the labels that are wrong")
    parser.add_argument("--ways", type=words, default=(TRAINER, FINETUNED, FROZEN))
    parser.add_argument("--rows", type=int, default=600)
    parser.add_argument("--test-rows", type=int, default=500)
    parser.add_argument("--seeds", type=numbers, default=(10, 11))
    parser.add_argument("--student", default="minilm", help="as student.model")
    parser.add_argument("--note", default="", help="what is different of ours, to measure it beside what was before")
    parser.add_argument("--results", type=Path, default=place.STATE / "trainer.jsonl")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into this file's section")
    parser.add_argument("--data-folder", type=Path, default=place.ROOT.parent / "shared" / "data")
    return parser
