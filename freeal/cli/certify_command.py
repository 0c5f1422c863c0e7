"""`python -m freeal certify`: how right a finished model's labels are, measured by a person who looks at a few.

python -m freeal certify models/reviews                       writes a blind sheet
python -m freeal certify models/reviews --sheet filled.csv    reads it back
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from freeal.cli.print_results import add_json, print_json
from freeal.cli.training_progress import EXIT_OK, shown_training_progress
from freeal.errors import ConfigError, Where
from freeal.results.find_version import find_version
from freeal.text.shell_command import freeal_command


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command, with `run`."""
    certify = commands.add_parser(
        "certify",
        help="draw a blind sheet, or read it back: an accuracy that holds",
        description="Draws rows for a person to label blindly, and reads them back: from them come accuracies with "
        "intervals that hold at 95 %, and with --promise a model that gives no label where it would be right less "
        "often.",
    )
    certify.set_defaults(run=_certify)
    certify.add_argument(
        "folder", type=Path, help="models/NAME, one of its versions, or what train wrote: FOLDER or FOLDER-results"
    )
    certify.add_argument(
        "--rows", type=int, metavar="N", help="rows to draw, 40 to 200 (default 100); more makes a sheet longer"
    )
    certify.add_argument("--seed", type=int, default=0, help="of the draw (default 0)")
    certify.add_argument("--output", type=Path, metavar="FILE", help="default: blind_sheet.csv in the version's folder")
    certify.add_argument(
        "--anew", action="store_true", help="draw another sheet and forget the answers to the one before"
    )
    certify.add_argument("--sheet", type=Path, metavar="FILE", help="the sheet, filled in")
    certify.add_argument(
        "--promise",
        type=float,
        metavar="SHARE",
        help="a model that gives a label only where it is right in that share, 0.95: from the rows that are certified",
    )
    certify.add_argument(
        "--promise-scope",
        choices=["label", "all"],
        default="label",
        help="a threshold for each label, or one for all, which takes fewer rows (default label)",
    )
    certify.add_argument(
        "--output-model", type=Path, metavar="FOLDER", help="of --promise; default: NAME-promised, or a new version"
    )
    add_json(certify, "the sheet, the figures, or the promise")


def _certify(arguments: argparse.Namespace) -> int:
    version = find_version(arguments.folder)
    if arguments.sheet is None:
        return (
            _draw_blind_sheet(version, arguments)
            if arguments.promise is None
            else _promise_accuracy(version, arguments)
        )
    from freeal.job.new_version import certification_job
    from freeal.results import metrics_as_text

    found = certification_job.certify_version(version, arguments.sheet, copies=[arguments.folder])
    if arguments.promise is not None:
        return _promise_accuracy(version, arguments)
    if arguments.json:
        print_json(found)
        return EXIT_OK
    for what, value in metrics_as_text.certified_in_words(found):
        print(f"{what:<44} {value}")
    if "withdrawn" not in found:
        _print_certified_parts(found)
        print(f"\nput into metrics.json, report.html and the model card of {version}")
    return EXIT_OK


def _draw_blind_sheet(version: Path, arguments: argparse.Namespace) -> int:
    from freeal.certification.sheet_size import FEWEST_ROWS, USUAL_ROWS
    from freeal.job.new_version import certification_job

    rows = USUAL_ROWS if arguments.rows is None else arguments.rows
    if rows < FEWEST_ROWS:
        raise ConfigError(f"is {rows}; of fewer than {FEWEST_ROWS} rows nothing can be said", where=Where(key="--rows"))
    sheet = certification_job.draw_sheet(
        version, rows=rows, seed=arguments.seed, output=arguments.output, anew=arguments.anew
    )
    if arguments.json:
        print_json(
            {
                "sheet": str(sheet.path),
                "lines": sheet.lines,
                "rows": sheet.rows,
                "answered": sheet.answered,
                "labels": list(sheet.labels),
            }
        )
        return EXIT_OK
    print(f"{sheet.lines} lines to fill in: {sheet.path}")
    print(
        f"write into freeal_certified one of: {', '.join(sheet.labels)}; - where none is right, ? where you cannot say"
    )
    print(f"then: {freeal_command('certify', arguments.folder, '--sheet', sheet.path)}")
    return EXIT_OK


def _promise_accuracy(version: Path, arguments: argparse.Namespace) -> int:
    from freeal.job.new_version import promise_job

    if not 0.5 <= arguments.promise < 1.0:
        raise ConfigError(f"is {arguments.promise}; name a share from 0.5 to below 1", where=Where(key="--promise"))
    percent = f"{arguments.promise * 100:g}"
    is_shelf = version.parent.name == "versions"
    default = version.with_name(f"{version.name}-promise{percent}") if is_shelf else Path(f"{version.name}-promised")
    target = arguments.output_model or default
    with shown_training_progress(sys.stderr) as emit:
        found = promise_job.run_promise_job(
            version, target, right=arguments.promise, scope=arguments.promise_scope, emit=emit
        )
    if arguments.json:
        print_json(found | {"folder": str(target)})
        return EXIT_OK
    for name, one in found["labels"].items():
        said = (
            f"never given: of {one['looked_at']} rows looked at; {one['needed']} right ones are the fewest to prove it"
        )
        if "threshold" in one:
            said = (
                f"from confidence {one['threshold']:.4f} on, {one['share']:.0%} of {one['rows']:,} rows; "
                f"at most {one['error']:.1%} wrong, of {one['looked_at']} looked at"
            )
        print(f"{name or 'all labels':<44} {said}")
    print(f"{'rows that keep a label':<44} {found['coverage']:.1%}")
    print(f"\nmodel         {target / 'model'}")
    if target.parent.name == "versions":
        print(f"make it the current one: python -m daemon use {target.name}")
    return EXIT_OK


def _print_certified_parts(found: dict[str, Any]) -> None:
    for part in ("per_label", "per_source"):
        print(f"\n{part.replace('_', ' ')}")
        for name, one in found[part].items():
            said = f"nobody looked at any of {one['rows']:,} rows"
            if "accuracy" in one:
                low, high = one["interval"]
                said = f"{one['accuracy']:.1%} ({low:.1%} to {high:.1%}), {one['looked_at']} of {one['rows']:,} rows"
            print(f"  {name:<42} {said}")
