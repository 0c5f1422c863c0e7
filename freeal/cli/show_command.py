"""`python -m freeal show`: how good a finished model is and what it cost."""

from __future__ import annotations

import argparse
from pathlib import Path

from freeal.cli.print_results import add_json, print_figures, print_json
from freeal.cli.training_progress import EXIT_OK
from freeal.results.metrics_as_text import read_metrics


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command, with `run`."""
    show = commands.add_parser(
        "show",
        help="how good a finished model is and what it cost",
        description="Rows, accuracies where true labels are known (else the agreement), label counts and cost of a "
        "finished model.",
    )
    show.set_defaults(run=_show)
    show.add_argument("folder", type=Path, help="models/NAME, or a FOLDER-results of train")
    add_json(show, "metrics.json as it stands")


def _show(arguments: argparse.Namespace) -> int:
    metrics = read_metrics(arguments.folder)
    if arguments.json:
        print_json(metrics)
    else:
        print_figures(metrics)
    return EXIT_OK
