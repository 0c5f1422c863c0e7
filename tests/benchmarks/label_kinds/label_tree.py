"""`python tests/benchmarks/label_kinds/label_tree.py FILE`: what a tree of labels is worth against its top level alone.

FILE holds TREC's questions as they are published, `COARSE:fine question` a line (train_5500.label, or a part of it). A
part of them, drawn by a seed, is the pool; the others are the test. The annotator is scripted: so many answers are
wrong, half of those another label of the right branch, and so many of the others name the branch alone.
"""

# ruff: noqa: T201 - a command line prints

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

import freeal
from freeal.evaluation.tree_metrics import tree_metrics
from freeal.testing.scripted_model import ScriptedModel, text_of
from freeal.text import label_paths
from freeal.types import Prompt

COARSE = {
    "ABBR": "abbreviation", "DESC": "description", "ENTY": "entity", "HUM": "human", "LOC": "location", "NUM": "number"
}  # fmt: skip
TASK = "What kind of answer does this question ask for?"


def main(arguments: Sequence[str]) -> int:
    """Measure, and print a table row per run."""
    given = _parser().parse_args(arguments)
    questions = read(given.file)
    labels = tuple(dict.fromkeys(path for _, path in sorted(questions, key=lambda one: one[1])))
    print(
        f"{len(questions)} questions, {len(labels)} labels, {len({path.split(' / ')[0] for path in labels})} branches"
    )
    for seed in given.seeds:
        drawn = np.random.default_rng(seed).permutation(len(questions))
        pool = [questions[place] for place in drawn[: given.pool]]
        test = [questions[place] for place in drawn[given.pool :]]
        for method in given.methods:
            started = time.monotonic()
            print(f"| {method}, seed {seed} | {_row(method, pool, test, labels, given, seed)} |", end="")
            print(f" {time.monotonic() - started:.0f} s", flush=True)
    return 0


def read(path: Path) -> list[tuple[str, str]]:
    """Question and path of its label; a question that stands there twice once."""
    found = {}
    for line in path.read_text(encoding="latin-1").splitlines():
        kind, _, text = line.partition(" ")
        coarse, _, fine = kind.partition(":")
        found[text.strip()] = label_paths.joined((COARSE[coarse], fine))
    return list(found.items())


def _row(
    method: str,
    pool: Sequence[tuple[str, str]],
    test: Sequence[tuple[str, str]],
    labels: tuple[str, ...],
    given: argparse.Namespace,
    seed: int,
) -> str:
    """Percent: final labels of the pool, then the student on the test rows."""
    is_flat = method == "coarse"
    told = [(text, path.split(" / ")[0] if is_flat else path) for text, path in pool]
    names = tuple(dict.fromkeys(path.split(" / ")[0] for path in labels)) if is_flat else labels
    spec = {
        "description": TASK,
        "labels": list(names),
        "kind": "single" if is_flat else "tree",
        "label_column": "label",
    }
    spec |= {"label_use": "teach" if method == "supervised" else "evaluate", "iterations": given.iterations}
    truth = dict(pool)
    model = ScriptedModel(lambda prompt: _answer(prompt, truth, labels, given, seed, is_flat=is_flat))
    with tempfile.TemporaryDirectory() as folder:
        result = freeal.run(
            pd.DataFrame(told, columns=["text", "label"]),
            spec,
            folder=folder,
            llm={"provider": "local"} if given.packaged else model,
            student={"model": "minilm", "mode": "frozen", "seed": seed},
        ).wait()
        found = result.model.predict([text for text, _ in test])
    cells = []
    if method != "supervised":
        cells += figures(list(result.frame["freeal_label"]), [path for _, path in told], names)
        nodes = result.frame["freeal_node"] if not is_flat else []
        cells += figures(list(nodes), [path for _, path in told], names)
    true = [path.split(" / ")[0] if is_flat else path for _, path in test]
    cells += ["test:", *figures(list(found.labels), true, names)]
    nodes = list(found.frame["freeal_node"]) if not is_flat else []
    cells += figures(nodes, true, names)
    if nodes:
        cells.append(f"backed off {100 * np.mean([node not in names for node in nodes]):.1f}")
    return " | ".join(cells)


def figures(said: Sequence[str], truth: Sequence[str], labels: tuple[str, ...]) -> list[str]:
    """Percent, as a table's cell; none where nothing was said."""
    if not len(said):
        return []
    found = tree_metrics(truth, said, labels)
    right = np.mean([one == true for one, true in zip(said, truth, strict=True)])
    levels = "/".join(f"{100 * share:.1f}" for share in found["accuracy_by_level"])
    f1, on_the_way = 100 * found["hierarchical_f1"], 100 * found["on_the_way"]
    return [f"{100 * right:.1f} (levels {levels}; hF1 {f1:.1f}; on the way {on_the_way:.1f})"]


def _answer(
    prompt: Prompt,
    truth: dict[str, str],
    labels: tuple[str, ...],
    given: argparse.Namespace,
    seed: int,
    *,
    is_flat: bool,
) -> str:
    """The same for the same question in every round; of a flat run, the branch of what it says in a tree."""
    if not prompt.labels:
        return '{"texts": []}'
    text = text_of(prompt.specific)
    rng = np.random.default_rng([seed, zlib.crc32(text.encode())])
    label = truth[text]
    branch = label.split(" / ")[0]
    draw = rng.random(3)
    if draw[0] < given.error:
        near = [one for one in labels if one.startswith(branch + " / ") and one != label]
        others = near if near and draw[1] < 0.5 else [one for one in labels if one != label]
        label = others[int(draw[2] * len(others))]
    elif draw[0] < given.error + given.partial:
        label = branch
    return f'{{"label": "{label.split(" / ")[0] if is_flat else label}", "confidence": 0.9}}'


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("file", type=Path)
    parser.add_argument("--pool", type=int, default=500)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--methods", nargs="+", default=["tree", "coarse", "supervised"])
    parser.add_argument("--error", type=float, default=0.25)
    parser.add_argument("--partial", type=float, default=0.1)
    parser.add_argument("--iterations", type=int, default=2)
    parser.add_argument("--packaged", action="store_true", help="the packaged language model in place of the script")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
