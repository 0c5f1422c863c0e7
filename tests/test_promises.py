"""Each promise about loss, doubling and money names the test that holds it, in a comment where the promise stands.

<!-- held by
the words of the promise: tests/scenarios/test_money.py::test_of_that_name
-->
"""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "inbox/README.md", "models/README.md", "systemd/README.md")),
    *(
        path
        for path in sorted((ROOT / "docs").rglob("*.md"))
        if path.stem not in {"architecture", "benchmarks"} and path.parent.name != "reference"
    ),
]
"""Where promises are made. docs/reference/ is made from the code and repeats what they say."""
SPEAKS_OF_IT = re.compile(
    r"\b(?:paid|pays? for|billed|unconfirmed_usd|caps?|costs? nothing|no cost|twice|lost|loses?|interrupted"
    r"|complete or absent|exactly one|half written|goes on (?:where|at|behind)|never paid"
    r"|ever replaced|never (?:deleted|replaced|overwritten)|is kept as)\b"
)
NO_PROMISE = (
    "what to look at, what was asked and paid]",
    "A model that costs nothing is asked once",
    "which costs nothing, is asked anew",
    "also says that asking costs nothing",
    "It is kept as `classifier.joblib`",
    "| pay for a few rows first",
    "lines after the last one you filled in were not reached and cost nothing",
    "spend per day against the cap",
    "rows with `budget` | the cap was reached",
    "what is never lost or paid twice, who may do what",
    "and what is never lost",
    "| know and cap what it costs |",
    "## What a cap means",
    "a missing column or a label that stands twice is said here",
    "the job was tried twice",
    "threads that spin lose nearly everything",
    "loses its opening bracket",
    "or twice among the text columns",
    "that is missing (with the nearest name) or there twice",
    "ids that stand twice",
)
"""Sentences that use the words for something else, or describe a figure, a state or a fault."""
_END = re.compile(r"[.;:] ")
_HOOK = re.compile(r"<!-- held by\s(.*?)-->", re.DOTALL)
_HELD = re.compile(r"\s*(.+?): (tests/[\w/]+\.py)::(\w+)\s*")


def _blocks(path):
    """Paragraphs, points and rows of a page, each as (its words on one line, [(phrase, file, name), ...])."""
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    hidden = _HOOK.sub(lambda hook: hook[0].replace("\n", "\0"), text)
    for block in re.split(r"\n\n|\n(?= *[-*] | *\d+\. |\| )", hidden):
        held = [
            _HELD.fullmatch(line)
            for hook in _HOOK.findall(block.replace("\0", "\n"))
            for line in hook.strip().splitlines()
        ]
        assert None not in held, f"{path}: a hook that cannot be read: {block[-300:]}"
        yield " ".join(_HOOK.sub("", block.replace("\0", "\n")).split()), [found.groups() for found in held]


HOOKS = [
    pytest.param(words, *hook, id=f"{path.relative_to(ROOT)}-{hook[2]}")
    for path in PAGES
    for words, hooks in _blocks(path)
    for hook in hooks
]


@functools.cache
def _tests_of(file):
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize(("words", "phrase", "file", "name"), HOOKS)
def test_a_promise_has_its_test(words, phrase, file, name):
    """What the hook quotes still stands before it, and the test is there."""
    assert phrase in words
    assert (ROOT / file).is_file(), f"{file} is not there: was it renamed?"
    assert name.startswith("test_")
    assert name in _tests_of(file)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_promise_is_without_a_test(path):
    """Each sentence that speaks of loss, doubling or money holds the words of a hook, or is known to be no promise."""
    for words, hooks in _blocks(path):
        held = [part for phrase, _, _ in hooks for part in _END.split(phrase)] + list(NO_PROMISE)
        speaking = filter(SPEAKS_OF_IT.search, _END.split(words.rstrip(".;:")))
        assert [] == [one for one in speaking if not any(phrase in one or one in phrase for phrase in held)]


def test_every_exception_is_needed():
    """None of the sentences that are known to be no promise has gone."""
    everything = " ".join(words for path in PAGES for words, _ in _blocks(path))
    assert [] == [phrase for phrase in NO_PROMISE if phrase not in everything]
