"""`python tests/benchmarks/label_kinds/tree_questions.py FILE`: leaves of a tree asked at once, and level by level.

FILE holds TREC's questions as for label_tree.py. The packaged language model scores labels without demonstrations, on
draws that have no question in common, in four ways: at once with a shortlist for each question, as jobs do from 25
labels on; at once with all leaves; level by level with every branch, where P(leaf) = P(branch) P(leaf | branch); and
level by level with the likeliest branch alone, which is two questions. Then, without asking anybody: how many tokens
the prompts are that a model which follows instructions would read.
"""

# ruff: noqa: T201 - a command line prints

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import anyio
import numpy as np
from label_tree import TASK, figures, read

from freeal.annotation.prompts import in_full, label_prompt
from freeal.cost_estimate.token_count_range import token_span
from freeal.llm.local.local_model import LocalModel
from freeal.llm.local.score_calibration import calibrate_scores
from freeal.selection.label_shortlist import SHORTLIST_LABELS, label_text, nearest_labels
from freeal.settings import StudentSettings
from freeal.student.encoder.encoder import unit
from freeal.student.untrained_encoder import UntrainedEncoder
from freeal.text import label_paths
from freeal.types import Label, Prompt, Reply, Task

WORDS = {
    "abb": "the abbreviation", "exp": "what it stands for", "cremat": "book, film or song", "dismed": "disease or drug",
    "techmeth": "technique", "termeq": "equivalent term", "volsize": "volume or size", "def": "definition",
    "desc": "description", "gr": "group or company", "ind": "individual", "instru": "instrument", "mount": "mountain",
    "lang": "language", "perc": "percentage", "ord": "rank", "temp": "temperature", "veh": "vehicle",
    "dist": "distance",
}  # fmt: skip
"""TREC's short names as somebody would write them; the others are words already."""


@dataclasses.dataclass
class Asking:
    """The packaged model on some texts, and what one way of asking reads: of its prompts what no other shares."""

    model: LocalModel
    texts: Sequence[str]
    known: dict[Prompt, Reply]
    """Answers to questions that another way has asked already."""
    questions: int = 0
    tokens: int = 0
    scored: int = 0

    def about(
        self, names: Sequence[str], rows: Sequence[int], shortlists: Sequence[Sequence[str]] | None = None
    ) -> np.ndarray:
        """P(label) of `rows`, [rows, names], calibrated over them."""
        task = Task(TASK, tuple(Label(name) for name in names))
        prompts = [
            label_prompt(task, self.texts[row], style="completion", shortlist=shortlists[row] if shortlists else None)
            for row in rows
        ]
        scores = np.full((len(rows), len(names)), np.nan)
        new = [prompt for prompt in prompts if prompt not in self.known]
        for start in range(0, len(new), self.model.rows_per_call):
            part = new[start : start + self.model.rows_per_call]
            self.known.update(zip(part, anyio.run(self.model.answer, part), strict=True))
        for place, prompt in enumerate(prompts):
            reply = self.known[prompt]
            scores[place, [names.index(one) for one in prompt.labels]] = reply.scores
            self.tokens += reply.usage.input_tokens - reply.usage.cached_tokens
        self.questions += len(prompts)
        self.scored += sum(len(prompt.labels) for prompt in prompts)
        return np.asarray(calibrate_scores(scores))


Way = Callable[[Asking, tuple[str, ...]], np.ndarray]
"""How P(leaf) of all texts is asked for, [texts, leaves]."""


def shortlisted(asking: Asking, leaves: tuple[str, ...]) -> np.ndarray:
    """At once, each question with the leaves that are nearest to it."""
    embed = UntrainedEncoder(StudentSettings(model="minilm")).embed
    meanings = unit(embed([label_text(Label(one)) for one in leaves]))
    near = nearest_labels(unit(embed(list(asking.texts))), meanings, count=SHORTLIST_LABELS)
    return asking.about(leaves, range(len(asking.texts)), [[leaves[place] for place in row] for row in near])


def at_once(asking: Asking, leaves: tuple[str, ...]) -> np.ndarray:
    """All leaves."""
    return asking.about(leaves, range(len(asking.texts)))


def every_branch(asking: Asking, leaves: tuple[str, ...]) -> np.ndarray:
    """The branches, then the leaves of each."""
    return _by_level(asking, leaves, likeliest_alone=False)


def likeliest_branch(asking: Asking, leaves: tuple[str, ...]) -> np.ndarray:
    """The branches, then the leaves of the likeliest one."""
    return _by_level(asking, leaves, likeliest_alone=True)


def _by_level(asking: Asking, leaves: tuple[str, ...], *, likeliest_alone: bool) -> np.ndarray:
    below = {branch: [one for one in leaves if label_paths.is_below(one, branch)] for branch in _branches(leaves)}
    top = asking.about(list(below), range(len(asking.texts)))
    found = np.zeros((len(asking.texts), len(leaves)))
    for place, own in enumerate(below.values()):
        rows = np.flatnonzero(top.argmax(axis=1) == place) if likeliest_alone else np.arange(len(asking.texts))
        if not len(rows):
            continue
        names = [label_paths.parts(one)[-1] for one in own]
        share = asking.about(names, rows.tolist()) if len(names) > 1 else np.ones((len(rows), 1))
        found[np.ix_(rows, [leaves.index(one) for one in own])] = top[rows, place][:, None] * share
    return found


def _branches(leaves: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(label_paths.parts(one)[0] for one in leaves))


WAYS: dict[str, Way] = {
    "at once, shortlists": shortlisted,
    "at once, all leaves": at_once,
    "level by level, every branch": every_branch,
    "level by level, the likeliest branch": likeliest_branch,
}


def prompt_tokens(text: str, leaves: tuple[str, ...]) -> dict[str, tuple[int, int]]:
    """From and to how many tokens the prompts have that a model which follows instructions would read about one text,
    without demonstrations; level by level where it goes into the largest branch."""
    branches = _branches(leaves)
    below = [[label_paths.parts(one)[-1] for one in leaves if label_paths.is_below(one, branch)] for branch in branches]
    tree = Task(TASK, tuple(Label(one) for one in leaves), "tree")
    levels = [Task(TASK, tuple(Label(one) for one in names)) for names in (branches, max(below, key=len))]
    found = {}
    for name, tasks in (("at once", [tree]), ("level by level", levels)):
        spans = [token_span(in_full(label_prompt(task, text, style="chat"))) for task in tasks]
        found[name] = (round(sum(one.low for one in spans)), round(sum(one.high for one in spans)))
    return found


def main(arguments: Sequence[str]) -> int:
    """Measure, and print a table row per draw and way."""
    given = _parser().parse_args(arguments)
    questions = [(text, _readable(path)) for text, path in read(given.file)]
    leaves = tuple(sorted({path for _, path in questions}))
    print(f"{len(questions)} questions, {len(leaves)} leaves, {len(_branches(leaves))} branches")
    model = anyio.run(lambda: LocalModel.load(None, cache=Path(tempfile.gettempdir()), device="cpu"))
    drawn = np.random.default_rng(given.seed).permutation(len(questions))
    for draw in range(given.draws):
        own = [questions[place] for place in drawn[draw * given.rows : (draw + 1) * given.rows]]
        texts, truth = zip(*own, strict=True)
        known: dict[Prompt, Reply] = {}
        for name, way in WAYS.items():
            asking = Asking(model, texts, known)
            said = [leaves[place] for place in way(asking, leaves).argmax(axis=1)]
            each = [number / len(texts) for number in (asking.questions, asking.tokens, asking.scored)]
            cells = [name, str(draw), *figures(said, truth, leaves), *(f"{number:.1f}" for number in each)]
            print(f"| {' | '.join(cells)} |", flush=True)
    print(f"tokens of a chat model's prompts: {prompt_tokens(questions[0][0], leaves)}")
    return 0


def _readable(path: str) -> str:
    return label_paths.joined([WORDS.get(name, name) for name in label_paths.parts(path)])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("file", type=Path)
    parser.add_argument("--rows", type=int, default=100, help="questions in a draw (default 100)")
    parser.add_argument("--draws", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
