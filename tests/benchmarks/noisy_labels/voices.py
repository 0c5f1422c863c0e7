"""`make bench-accuracy ARGS="--table voices"`: what becomes of an annotator's labels once all voices are weighed.

A grid of annotators, each asked once, with a frozen student: its own labels, the student's out of fold, the final ones
of the rule that came before (P(clean) of a loss mixture taken for the probability that a label is right) and of
freeal/aggregation/label_posterior.py, and the calibration error of both; then students trained on them, on test rows.
"""

# ruff: noqa: T201 - a command line prints

from __future__ import annotations

import argparse
import collections
import dataclasses
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import noisy_annotators
import numpy as np
import place
import provenance
import sections
from data_sets import DATA_SETS, LABEL_COLUMN, draw

from freeal.aggregation.label_posterior import Evidence
from freeal.aggregation.label_similarity import nearness_to_labels
from freeal.evaluation.metrics import calibration_error
from freeal.selection import clean_split
from freeal.settings import StudentSettings
from freeal.student.encoder.encoder import unit
from freeal.student.labelled_texts import LabelledTexts
from freeal.student.protocols import NO_LABEL
from freeal.student.training import linear_probe, temperature_scaling
from freeal.student.training.head_cross_fitting import cross_fit, probe_of_cross_fit
from freeal.student.training.robust_probe import robust_probe
from freeal.student.untrained_encoder import UntrainedEncoder
from freeal.types import Label

PACKAGES = ("freeal-daemon", "scikit-learn", "numpy", "torch", "transformers")
_LEGEND = """\
Percent, mean over the seeds, frozen student, every text asked once. *annotator*: its labels; *student*: out of fold, on
those labels; *before*: final labels and calibration error (in points) of the rule that took the loss mixture's P(clean)
for the probability that a label is right; *final*: of the posterior; *test*: students on test rows, trained on the
labels as they are (plain), on those a loss mixture trusts (split) and on the posterior."""


@dataclasses.dataclass(frozen=True)
class Drawn:
    """A pool: texts, their true labels, features under the untrained encoder, nearness to the labels' meanings."""

    texts: Sequence[str]
    truth: np.ndarray
    features: np.ndarray
    near: np.ndarray
    labels: int
    test: tuple[np.ndarray, np.ndarray] | None


@dataclasses.dataclass(frozen=True)
class Measured:
    """Shares, not percent; `nan` where nothing was measured."""

    annotator: float
    student: float
    before: float
    before_off: float
    final: float
    final_off: float
    plain_test: float
    split_test: float
    posterior_test: float


def main(arguments: Sequence[str]) -> int:
    """Measure the grid, then print its table or write it."""
    given = _parser().parse_args(arguments)
    start = UntrainedEncoder(StudentSettings(model=given.student))
    found: dict[str, list[Measured]] = collections.defaultdict(list)
    for seed in given.seeds:
        for name, pool, answers in _cells(given, start, seed):
            started = time.monotonic()
            one = measure(pool, answers, seed=seed)
            found[name].append(one)
            print(f"seed {seed}: {_row(name, [one])} {time.monotonic() - started:.1f} s", flush=True)
    text = f"{_heading(given)}\n\n{table(found)}\n\n{in_short(found)}"
    if given.write is None:
        print(f"\n{text}")
    else:
        sections.replace(given.write, "voices", text)
        print(f"wrote {given.write}")
    return 0


def measure(pool: Drawn, answers: np.ndarray, *, seed: int) -> Measured:
    """One annotator of one pool; texts it gave no label for count as its errors."""
    everyone = np.ones(len(answers), dtype=bool)
    evidence = Evidence(answers, np.zeros((len(answers), pool.labels)), np.full(len(answers), NO_LABEL), pool.near)
    data = LabelledTexts(pool.texts, answers.tolist(), weigh=evidence.targets)
    fitted = cross_fit(pool.features, answers, data, labels=pool.labels, seed=seed, usable=everyone)
    final = evidence.posterior(fitted.logits).proba
    head = probe_of_cross_fit(pool.features, fitted, answers, data, seed=seed, usable=everyone)
    before, split = rule_before(pool.features, answers, labels=pool.labels, seed=seed)
    tested = [_test(one, pool) for one in (fitted.plain, split, head)]
    return Measured(
        float((answers == pool.truth).mean()),
        float((fitted.logits.argmax(axis=1) == pool.truth).mean()),
        *_judged(before, pool.truth),
        *_judged(final, pool.truth),
        *tested,
    )


def rule_before(
    features: np.ndarray, answers: np.ndarray, *, labels: int, seed: int
) -> tuple[np.ndarray, linear_probe.Probe]:
    """The baseline: c * onehot(answer) + (1 - c) * student, c the loss mixture's P(clean); and that student's head."""
    known = np.flatnonzero(answers != NO_LABEL)
    head = robust_probe(features[known], answers[known], labels=labels, seed=seed)
    losses = linear_probe.cross_entropy(head.held_out, answers[known])
    clean = clean_split.split_clean(losses, answers[known]).astype(np.float64)
    temperature = temperature_scaling.temperature(head.held_out, answers[known])
    proba = linear_probe.softmax(head.logits(features) / temperature).astype(np.float64)
    proba[known] *= (1.0 - clean)[:, None]
    proba[known, answers[known]] += clean
    return proba, head


def _judged(proba: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    right = proba.argmax(axis=1) == truth
    return float(right.mean()), calibration_error(np.minimum(proba.max(axis=1), 1.0), right)


def _test(head: linear_probe.Probe, pool: Drawn) -> float:
    if pool.test is None:
        return float("nan")
    features, truth = pool.test
    return float((head.logits(features).argmax(axis=1) == truth).mean())


def _cells(given: argparse.Namespace, start: UntrainedEncoder, seed: int) -> Iterator[tuple[str, Drawn, np.ndarray]]:
    for name in given.data:
        data_set = DATA_SETS[name]
        names = list(data_set.labels)
        parts = {}
        for split, rows in (("train", given.rows), ("test", given.test_rows)):
            found = draw(data_set, given.data_folder, split=split, rows=rows, seed=seed)
            truth = np.array([names.index(row[LABEL_COLUMN]) for row in found])
            parts[split] = [noisy_annotators.text_of(row, data_set) for row in found], truth
        tested = (_features(start, parts["test"][0]), parts["test"][1]) if given.test_rows else None
        pool = drawn(start, *parts["train"], meanings=data_set.labels, test=tested)
        beliefs = noisy_annotators.bag_of_words_beliefs(*parts["train"])
        for kind in noisy_annotators.KINDS:
            for error in given.errors:
                answers = noisy_annotators.made(
                    kind, pool.truth, beliefs, error=error / 100, labels=pool.labels, seed=seed
                )
                yield f"{name}, {kind} {error}", pool, answers
    for name in given.recorded:
        data_set, texts, truth, answers = noisy_annotators.recorded(name, given.data_folder, rows=given.rows, seed=seed)
        yield f"{data_set.name}, {name}", drawn(start, texts, truth, meanings=data_set.labels), answers


def drawn(
    start: UntrainedEncoder,
    texts: Sequence[str],
    truth: np.ndarray,
    *,
    meanings: dict[str, str],
    test: tuple[np.ndarray, np.ndarray] | None = None,
) -> Drawn:
    features = _features(start, texts)
    labels = [Label(name, meaning) for name, meaning in meanings.items()]
    known = dict(zip(texts, unit(features), strict=True))

    def embed(wanted: Sequence[str]) -> np.ndarray:
        return np.stack([known[text] for text in wanted]) if wanted[0] in known else start.embed(wanted)

    return Drawn(texts, truth, features, nearness_to_labels(texts, labels, embed), len(labels), test)


def _features(start: UntrainedEncoder, texts: Sequence[str]) -> np.ndarray:
    return start.features(texts, start.fresh_encoder(("0", "1"))).astype(np.float64)


def table(found: dict[str, list[Measured]]) -> str:
    """Markdown, a row per annotator."""
    lines = [
        "| data, annotator, % wrong | annotator | student | before | off | final | off | plain | split | posterior |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    return "\n".join([*lines, *(_row(name, measured) for name, measured in found.items())])


def _row(name: str, measured: Sequence[Measured]) -> str:
    means = np.array([dataclasses.astuple(one) for one in measured]).mean(axis=0)
    return "| " + " | ".join([name, *("" if np.isnan(value) else f"{100 * value:.1f}" for value in means)]) + " |"


def in_short(found: dict[str, list[Measured]]) -> str:
    """What the goals ask: the worst cell against the better of annotator and student, the gain of poor annotators."""
    means = {
        name: Measured(*np.array([dataclasses.astuple(one) for one in of]).mean(axis=0)) for name, of in found.items()
    }
    lines = []
    for rule in ("before", "final"):
        gaps = {name: 100 * (getattr(one, rule) - max(one.annotator, one.student)) for name, one in means.items()}
        poor = [100 * (getattr(one, rule) - one.annotator) for one in means.values() if one.annotator < 0.85]
        off = [100 * getattr(one, f"{rule}_off") for one in means.values()]
        worst = min(gaps, key=lambda name: gaps[name])
        lines.append(
            f"- *{rule}*: {sum(gap < -0.5 for gap in gaps.values())} of {len(gaps)} cells more than half a point below "
            f"the better of annotator and student, worst {gaps[worst]:+.1f} ({worst}); annotators below 85 % gain "
            f"{np.mean(poor) if poor else 0:+.1f} on average; off by {np.mean(off):.1f} on average, {max(off):.1f} "
            "at most"
        )
    return "\n".join(lines)


def _heading(given: argparse.Namespace) -> str:
    return "\n".join(
        [
            "## Voices weighed",
            "",
            provenance.command("bench-accuracy", given, _parser()),
            "",
            provenance.source(PACKAGES),
            f"- student: {given.student}, frozen; seeds {', '.join(map(str, given.seeds))}; {given.rows} pool rows",
            "",
            _LEGEND,
        ]
    )


def words(value: str) -> tuple[str, ...]:
    return tuple(filter(None, value.split(",")))


def numbers(value: str) -> tuple[int, ...]:
    return tuple(int(word) for word in words(value))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="voices.py", description=__doc__)
    parser.add_argument("--table", default="", help="voices: this one")
    parser.add_argument("--data", type=words, default=("mr", "cr", "trec", "agnews"))
    parser.add_argument(
        "--recorded", type=words, default=noisy_annotators.RECORDED, help="models whose answers we have"
    )
    parser.add_argument("--errors", type=numbers, default=(4, 15, 30), help="percent of made annotators' answers")
    parser.add_argument("--rows", type=int, default=800)
    parser.add_argument("--test-rows", type=int, default=1000, help="0 = no students are tested")
    parser.add_argument("--seeds", type=numbers, default=(10, 11, 12), help="others than those the rule was chosen on")
    parser.add_argument("--student", default="minilm", help="as student.model")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into this file's section")
    parser.add_argument("--data-folder", type=Path, default=place.ROOT.parent / "shared" / "data")
    return parser
