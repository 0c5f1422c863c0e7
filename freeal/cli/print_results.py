"""Figures on stdout: pairs for people, one JSON object for programs. Everything else a command says goes to stderr."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from freeal.results.metrics_as_text import metrics_in_words
from freeal.text.printable_text import visible

if TYPE_CHECKING:
    from freeal.cost_estimate.estimate_figures import Estimate


def add_json(parser: argparse.ArgumentParser, what: str) -> None:
    """`--json`, which prints `what`."""
    parser.add_argument("--json", action="store_true", help=f"for programs: {what}, as one JSON object on stdout")


def print_json(content: Mapping[str, Any]) -> None:
    """One object, and nothing else."""
    json.dump(content, sys.stdout, ensure_ascii=False, indent=2)
    sys.stdout.write("\n")


def print_pairs(pairs: Sequence[tuple[str, str]], *, width: int = 0) -> None:
    """(what, value) pairs, the values below each other."""
    width = max([width, *(len(what) for what, _ in pairs)])
    for what, value in pairs:
        print(visible(f"{what:<{width}}  {value}"))


def print_figures(metrics: dict[str, Any]) -> None:
    """The figures of a finished model."""
    print_pairs(metrics_in_words(metrics), width=43)


def print_outcome(metrics: dict[str, Any], files: Mapping[str, str], *, as_json: bool) -> None:
    """What a command that trains ends with: the figures, and where everything is."""
    if as_json:
        print_json(metrics | {"files": dict(files)})
        return
    print_figures(metrics)
    print()
    print_pairs([(name.replace("_", " "), place) for name, place in files.items()])


def print_estimate(found: Estimate, *, as_json: bool) -> None:
    """An estimate and the first prompt in full."""
    if as_json:
        print_json(dataclasses.asdict(found))
        return
    print_pairs(found.figures())
    print(f"\nthe first prompt:\n{visible(found.first_prompt)}")
