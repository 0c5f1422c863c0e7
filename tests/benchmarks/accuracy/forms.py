"""`make bench-accuracy ARGS="--table forms"`: the plain form of the question against the one a trial chooses.

The packaged language model asked without demonstrations about rows of each data set, in every form; then what the
trial chooses, which sees texts and no labels. Truth is only looked at for the table.
"""

# ruff: noqa: T201 - a command line prints

from __future__ import annotations

import argparse
import collections
import contextlib
import dataclasses
import math
import time
from collections.abc import Sequence
from pathlib import Path

import anyio
import data_sets
import place
import provenance
import sections

from freeal.annotation.annotator import Annotator, LabelRequest
from freeal.annotation.question_form import PLAIN, QuestionForm
from freeal.annotation.question_form_trial import FormChoice, form_choice
from freeal.annotation.round_annotation import Questions
from freeal.events import ignore
from freeal.llm.local.local_model import LocalModel
from freeal.llm.protocols import ChatModel
from freeal.llm.store.answer_store import MemoryStore
from freeal.money.budget_ledger import Ledger
from freeal.money.prices import price_of
from freeal.pool.text_pool import Pool
from freeal.settings import LoopSettings, StudentSettings
from freeal.student.trainer_factory import make_trainer
from freeal.text.row_text import row_text
from freeal.types import Label, Task

_DATA = ("mr", "cr", "agnews", "trec")
_PACKAGES = ("freeal-daemon", "numpy", "torch", "transformers", "scikit-learn")
_LEGEND = """\
Percent of the rows right without a demonstration, scores calibrated; mean over the seeds, each a draw of other rows,
with how far it went from seed to seed. *plain*: the form of old; *chosen*: the one the trial took; *best*: the one
that truth would have taken; *kappa*: of the labels of plain and chosen with what a linear model makes of the texts;
*trial*: seconds of the processor that it took beside answers that are needed anyway."""


@dataclasses.dataclass(frozen=True)
class Measured:
    """Shares of the rows that are right, by template."""

    right: dict[str, float]
    choice: FormChoice
    seconds: float

    @property
    def chosen(self) -> float:
        """In the form that the trial took."""
        return self.right[self.choice.template]

    def kappa(self, template: str) -> float:
        """What the trial knew of a form; nan where it was not tried."""
        return next((one.kappa for one in self.choice.tried if one.template == template), math.nan)


def main(arguments: Sequence[str]) -> int:
    """Measure, then print the table or write it; 0 also where data is missing, which is said."""
    given = _parser().parse_args(arguments)
    found = anyio.run(_measured, given)
    text = f"{_heading(given)}\n\n{table(found)}"
    if given.write is None:
        print(f"\n{text}")
    else:
        sections.replace(given.write, "forms", text)
        print(f"wrote {given.write}")
    return 0


async def _measured(given: argparse.Namespace) -> dict[str, list[Measured]]:
    found: dict[str, list[Measured]] = collections.defaultdict(list)
    cache = given.cache
    async with contextlib.aclosing(await LocalModel.load(given.llm, cache=cache, device="auto")) as model:
        for seed in given.seeds:
            for name in given.data:
                data_set = data_sets.DATA_SETS[name]
                if reason := data_sets.missing(data_set, given.data_folder):
                    print(reason)
                    continue
                rows = data_sets.draw(data_set, given.data_folder, split="train", rows=given.rows, seed=seed)
                found[name].append(await measure(model, data_set, rows, seed=seed))
                print(f"seed {seed}: {name}: {found[name][-1]}", flush=True)
    return found


async def measure(
    model: ChatModel, data_set: data_sets.DataSet, rows: Sequence[dict[str, str]], *, seed: int
) -> Measured:
    """One draw of one data set. The pool knows no truth."""
    columns = data_set.text_columns
    texts = dict.fromkeys(row_text(columns, [row[name] for name in columns]) for row in rows)
    truth = {row_text(columns, [row[name] for name in columns]): row[data_sets.LABEL_COLUMN] for row in rows}
    places = tuple(range(len(texts)))
    ledger = Ledger(price_of(model.provider, model.model, {}), None, model=model.model)
    questions = Questions(
        Task(data_set.description, tuple(Label(name, meaning) for name, meaning in data_set.labels.items())),
        Pool(tuple(texts), places, places, columns),
        Annotator(model, MemoryStore(), ledger, ignore, form="auto"),
        make_trainer(StudentSettings(model="minilm", mode="frozen"), texts=len(texts)),
        LoopSettings(),
        seed,
    )
    began = time.process_time()
    choice = await form_choice(questions, places)
    seconds = time.process_time() - began
    templates = dict.fromkeys([PLAIN.template, choice.template, *(one.template for one in choice.tried)])
    right = {template: await _right(questions, template, truth) for template in templates}
    further = len(choice.tried) - 1 if choice.tried else 0
    return Measured(right, choice, seconds * further / max(1, len(choice.tried)))


async def _right(questions: Questions, template: str, truth: dict[str, str]) -> float:
    requests = [LabelRequest(index, text) for index, text in enumerate(questions.pool.texts)]
    notes = await questions.annotator.annotate(
        requests, task=questions.task, round_number=0, form=QuestionForm(template)
    )
    said = [note.label for note in notes]
    return sum(truth[text] == label for text, label in zip(questions.pool.texts, said, strict=True)) / len(said)


def table(found: dict[str, list[Measured]]) -> str:
    """Markdown, a row per data set."""
    lines = [
        "| data | plain | chosen | chosen - plain | best | kappa, plain | chosen | asked as | trial |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- | ---: |",
    ]
    for name, many in found.items():
        plain = [one.right[PLAIN.template] for one in many]
        gains = [100 * (one.chosen - before) for one, before in zip(many, plain, strict=True)]
        forms = collections.Counter(str(one.choice.form) for one in many)
        cells = [
            name,
            _percent(plain),
            _percent([one.chosen for one in many]),
            " ".join(f"{gain:+.1f}" for gain in gains),
            _percent([max(one.right.values()) for one in many]),
            f"{_mean([one.kappa(PLAIN.template) for one in many]):.2f}",
            f"{_mean([one.kappa(one.choice.template) for one in many]):.2f}",
            "; ".join(f"`{form}`" + (f" ({count})" if len(forms) > 1 else "") for form, count in forms.items()),
            f"{_mean([one.seconds for one in many]):.0f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _percent(shares: Sequence[float]) -> str:
    far = 100 * (max(shares) - min(shares)) / 2
    return f"{100 * _mean(shares):.1f} ± {far:.1f}"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _heading(given: argparse.Namespace) -> str:
    return "\n".join(
        [
            "## The form of the question",
            "",
            provenance.command("bench-accuracy", given, _parser()),
            "",
            provenance.source(_PACKAGES),
            f"- language model: {given.llm or 'the packaged one'}; {given.rows} rows",
            f"- seeds {', '.join(map(str, given.seeds))}",
            "",
            _LEGEND,
        ]
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="forms.py", description=__doc__)
    parser.add_argument("--table", default="", help="forms: this one")
    parser.add_argument("--data", type=lambda names: tuple(names.split(",")), default=_DATA)
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--seeds", type=lambda seeds: tuple(map(int, seeds.split(","))), default=(0, 1))
    parser.add_argument("--llm", help="a folder, a GGUF file or a hub id; default: the packaged model")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into this file's section")
    parser.add_argument("--data-folder", type=Path, default=place.ROOT.parent / "shared" / "data")
    parser.add_argument("--cache", type=Path, default=place.ROOT / ".bench", help="for the model as it is read")
    return parser
