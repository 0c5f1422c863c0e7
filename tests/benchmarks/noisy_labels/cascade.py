"""`make bench-accuracy ARGS="--table cascade"`: two language models in one job against each of them alone.

Recorded answers of five 7-9B models to the same questions of TREC, labels only; a frozen student. Of each pair the one
that is right more often comes second, as who lists `llm: [cheap, dear]` means it. The rule is the loop's own: fifty
texts drawn by chance, then what the posterior leaves open.
"""

# ruff: noqa: T201 - a command line prints

from __future__ import annotations

import argparse
import collections
import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path

import noisy_annotators
import numpy as np
import place
import provenance
import sections
import voices

from freeal.aggregation.label_posterior import Evidence
from freeal.aggregation.several_annotators import SeveralVoices, Use
from freeal.evaluation.metrics import calibration_error
from freeal.selection import query_selection
from freeal.settings import LoopSettings, StudentSettings
from freeal.student.labelled_texts import LabelledTexts
from freeal.student.protocols import NO_LABEL
from freeal.student.training.head_cross_fitting import cross_fit
from freeal.student.untrained_encoder import UntrainedEncoder

_MODELS = tuple(name for name in noisy_annotators.RECORDED if name != "gpt-3.5")
_SMALL_SHARE = 0.3
_LEGEND = """\
Percent, mean over the seeds, every question asked once per model. *alone*: the model's own labels; *final*: of the
first one with its student, as without a second; *cascade*: share of the texts that the second one was asked about,
final labels, and by how much confidence is off (calibration error, points); *in 30 %*: the same with a cap that
lets it see three texts in ten; *both*: side by side, each asked about all, final labels and calibration error."""


@dataclasses.dataclass(frozen=True)
class Measured:
    """Shares, not percent."""

    first: float
    second: float
    final: float
    final_off: float
    asked: float
    cascade: float
    cascade_off: float
    capped: float
    capped_off: float
    both: float
    both_off: float


@dataclasses.dataclass(frozen=True)
class Pair:
    """A first model's evidence and its student's out-of-fold logits, and what a second one would say."""

    pool: voices.Drawn
    first: Evidence
    logits: np.ndarray
    second: np.ndarray

    def joint(self, asked: np.ndarray, use: Use) -> np.ndarray:
        """Posterior once the second one was asked about the texts at `asked`."""
        answers = np.full(len(self.second), NO_LABEL)
        answers[asked] = self.second[asked]
        other = dataclasses.replace(self.first, label_ids=answers)
        return SeveralVoices((self.first, other), use).posterior(self.logits).proba


def main(arguments: Sequence[str]) -> int:
    """Measure every pair, then print the table or write it."""
    given = _parser().parse_args(arguments)
    start = UntrainedEncoder(StudentSettings(model=given.student))
    found: dict[str, list[Measured]] = collections.defaultdict(list)
    everyone: list[list[float]] = []
    for seed in given.seeds:
        pool, answers = _drawn(start, given, seed)
        right = {name: float((said == pool.truth).mean()) for name, said in answers.items()}
        firsts = {name: _first(pool, said, seed=seed) for name, said in answers.items()}
        for one, other in itertools.combinations(sorted(_MODELS, key=lambda name: right[name]), 2):
            pair = Pair(pool, *firsts[one], answers[other])
            found[" + ".join(sorted((one, other)))].append(measure(pair, seed=seed))
            print(f"seed {seed}: {one}, then {other}: {found[' + '.join(sorted((one, other)))][-1]}", flush=True)
        pooled = SeveralVoices(tuple(evidence for evidence, _ in firsts.values()), "side_by_side")
        logits = np.mean([logits for _, logits in firsts.values()], axis=0)
        everyone.append([*_judged(pooled.posterior(logits).proba, pool.truth), max(right.values())])
    text = f"{_heading(given)}\n\n{table(found)}\n\n{in_short(found, everyone)}"
    if given.write is None:
        print(f"\n{text}")
    else:
        sections.replace(given.write, "cascade", text)
        print(f"wrote {given.write}")
    return 0


def measure(pair: Pair, *, seed: int) -> Measured:
    """One pair of models on one pool."""
    truth, size = pair.pool.truth, len(pair.pool.truth)
    alone = pair.first.posterior(pair.logits).proba
    pilot = query_selection.by_chance(list(range(size)), query_selection.PILOT_TEXTS, seed=seed)
    looked = pair.joint(np.array(pilot), "cascade")
    rest = [index for index in range(size) if index not in set(pilot)]
    left = query_selection.queries_left_open(looked, rest, threshold=LoopSettings().clean_threshold)
    capped = left[: max(0, round(_SMALL_SHARE * size) - len(pilot))]
    return Measured(
        float((pair.first.label_ids == truth).mean()),
        float((pair.second == truth).mean()),
        *_judged(alone, truth),
        (len(pilot) + len(left)) / size,
        *_judged(pair.joint(np.array([*pilot, *left]), "cascade"), truth),
        *_judged(pair.joint(np.array([*pilot, *capped]), "cascade"), truth),
        *_judged(pair.joint(np.arange(size), "side_by_side"), truth),
    )


def _judged(proba: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    right = proba.argmax(axis=1) == truth
    return float(right.mean()), calibration_error(np.minimum(proba.max(axis=1), 1.0), right)


def _drawn(start: UntrainedEncoder, given: argparse.Namespace, seed: int) -> tuple[voices.Drawn, dict[str, np.ndarray]]:
    answers, drawn = {}, None
    for name in _MODELS:
        data_set, texts, truth, said = noisy_annotators.recorded(name, given.data_folder, rows=given.rows, seed=seed)
        answers[name] = said
        drawn = drawn or voices.drawn(start, texts, truth, meanings=data_set.labels)
    if drawn is None:
        raise ValueError("no model's answers are recorded")
    return drawn, answers


def _first(pool: voices.Drawn, answers: np.ndarray, *, seed: int) -> tuple[Evidence, np.ndarray]:
    evidence = Evidence(answers, np.zeros((len(answers), pool.labels)), np.full(len(answers), NO_LABEL), pool.near)
    data = LabelledTexts(pool.texts, answers.tolist(), weigh=evidence.targets)
    everyone = np.ones(len(answers), dtype=bool)
    fitted = cross_fit(pool.features, answers, data, labels=pool.labels, seed=seed, usable=everyone)
    return evidence, fitted.logits


def table(found: dict[str, list[Measured]]) -> str:
    """Markdown, a row per pair; which of the two is the better one may differ from seed to seed."""
    lines = [
        "| models | first | second alone | first, final | off | asked | cascade | off | in 30 % | off | both | off |",
        f"| --- |{' ---: |' * 11}",
    ]
    for name, measured in found.items():
        means = np.array([dataclasses.astuple(one) for one in measured]).mean(axis=0)
        lines.append("| " + " | ".join([name, *(f"{100 * value:.1f}" for value in means)]) + " |")
    return "\n".join(lines)


def in_short(found: dict[str, list[Measured]], everyone: Sequence[Sequence[float]]) -> str:
    """The means, and all models side by side."""
    mean = Measured(*np.array([dataclasses.astuple(one) for many in found.values() for one in many]).mean(axis=0))
    percent = {field.name: f"{100 * getattr(mean, field.name):.1f}" for field in dataclasses.fields(mean)}
    final, off, best = (f"{100 * value:.1f}" for value in np.mean(everyone, axis=0))
    return (
        "- Mean of {pairs} pairs: first alone {first}, with its student {final} (off by {final_off}); second alone "
        "{second}; cascade {cascade} ({cascade_off}) with {asked} % asked, {capped} ({capped_off}) in 30 %; side by "
        "side {both} ({both_off}).\n".format(pairs=len(found), **percent)
        + f"- All five side by side: {final} (off by {off}); the best of them alone {best}."
    )


def _heading(given: argparse.Namespace) -> str:
    return "\n".join(
        [
            "## Several language models",
            "",
            provenance.command("bench-accuracy", given, _parser()),
            "",
            provenance.source(voices.PACKAGES),
            f"- student: {given.student}, frozen; seeds {', '.join(map(str, given.seeds))}; {given.rows} questions",
            "",
            _LEGEND,
        ]
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cascade.py", description=__doc__)
    parser.add_argument("--table", default="", help="cascade: this one")
    parser.add_argument("--rows", type=int, default=800)
    parser.add_argument("--seeds", type=voices.numbers, default=(40, 41), help="others than those it was designed on")
    parser.add_argument("--student", default="minilm", help="as student.model")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into this file's section")
    parser.add_argument("--data-folder", type=Path, default=place.ROOT.parent / "shared" / "data")
    return parser
