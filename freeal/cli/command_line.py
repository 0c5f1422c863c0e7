"""`python -m freeal`: the method on one CSV, without folders and without the service.

python -m freeal train --input-csv reviews.csv --output-model model --labels positive,negative --description "..."
python -m freeal predict --model-dir model --input-csv new.csv --output-csv labelled.csv
python -m freeal correct --model-dir model --corrections-csv review_queue.csv
"""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
from collections.abc import Sequence

from freeal.cli import (
    boundaries_command,
    certify_command,
    correct_command,
    estimate_and_cache_commands,
    export_command,
    plan_command,
    predict_command,
    show_and_compare_commands,
    train_command,
)
from freeal.cli.print_results import print_json
from freeal.cli.training_progress import EXIT_CONFIG, EXIT_FAILED
from freeal.errors import ConfigError, FreealError
from freeal.text.printable_text import visible


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code (CONTRACT.md 4)."""
    arguments = argument_parser().parse_args(argv)
    try:
        code: int = arguments.run(arguments)
        return code
    except ConfigError as error:
        _tell(error, arguments)
        print(visible(f"freeal: {error}"), file=sys.stderr)
        return EXIT_CONFIG
    except FreealError as error:
        _tell(error, arguments)
        print(visible(f"freeal: {error}"), file=sys.stderr)
        return EXIT_FAILED
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        print(visible(f"freeal: {place}{error.strerror or error}"), file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        print("freeal: stopped; the same command goes on where it was", file=sys.stderr)
        return EXIT_FAILED


def _tell(error: FreealError, arguments: argparse.Namespace) -> None:
    """For a program that asked for JSON: all that is wrong, each with its place and what to do."""
    if arguments.json:
        print_json({"error": [part.as_dict() for part in error.parts]})


def argument_parser() -> argparse.ArgumentParser:
    """Every command with its options, as `-h` shows them."""
    parser = argparse.ArgumentParser(
        prog="freeal",
        description="Label texts with a language model and train a small classifier.",
        epilog="exit codes: 0 all done, 1 failed, 2 usage, 3 stopped at a budget with partial results, "
        "78 settings, labels or key are wrong",
    )
    parser.add_argument("--version", action="version", version=f"freeal {importlib.metadata.version('freeal-daemon')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (train_command, predict_command, correct_command):
        command.add_parser(commands)
    show_and_compare_commands.add_parsers(commands)
    estimate_and_cache_commands.add_parsers(commands)
    certify_command.add_parser(commands)
    boundaries_command.add_parser(commands)
    export_command.add_parser(commands)
    plan_command.add_parser(commands)
    return parser
