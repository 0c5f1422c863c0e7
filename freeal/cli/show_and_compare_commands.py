"""The commands that look at finished models: `show`, how good one is and what it cost, and `compare`, two versions side
by side.

python -m freeal show models/reviews
python -m freeal compare models/reviews                  the current version and the one before it
python -m freeal compare models/reviews OLDER            an older one and the current one
python -m freeal compare models/reviews OLDER NEWER      any two; a version's name, or any folder that show takes
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from freeal.cli.print_results import add_json, print_figures, print_json, print_pairs
from freeal.cli.training_progress import EXIT_OK
from freeal.errors import ConfigError, Where
from freeal.files import model_folders
from freeal.results.find_version import find_version_by_name, finished_versions
from freeal.results.metrics_as_text import read_metrics
from freeal.results.version_comparison import NOT_SAID, Comparison
from freeal.row_index.row_search import Move, RowIndex
from freeal.text.printable_text import visible


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The two commands, each with `run`."""
    show = commands.add_parser(
        "show",
        help="how good a finished model is and what it cost",
        description="Rows, accuracies where true labels are known (else the agreement), label counts, and what the "
        "last run and the model altogether cost.",
    )
    show.set_defaults(run=_show)
    show.add_argument("folder", type=Path, help="models/NAME, or a FOLDER-results of train")
    add_json(show, "metrics.json as it stands")
    compare = commands.add_parser(
        "compare",
        help="two versions of a model side by side",
        description="What was measured of each, label counts, settings that differ, and how many rows moved from which "
        "label to which. Asks nobody, changes nothing.",
    )
    compare.set_defaults(run=_compare)
    compare.add_argument("folder", type=Path, help="models/NAME")
    compare.add_argument(
        "versions",
        nargs="*",
        metavar="VERSION",
        help="the older, then the newer: names under models/NAME/versions, or folders; default: the one before the "
        "current one, and that",
    )
    add_json(compare, "all of it")


def _show(arguments: argparse.Namespace) -> int:
    metrics = read_metrics(arguments.folder)
    if arguments.json:
        print_json(metrics)
    else:
        print_figures(metrics)
    return EXIT_OK


def _compare(arguments: argparse.Namespace) -> int:
    from freeal.results import version_comparison
    from freeal.row_index import build_index

    before, after = _two_versions(arguments.folder, arguments.versions)
    found = version_comparison.compare_versions(before, after)
    with tempfile.TemporaryDirectory(prefix="freeal-") as scratch:
        index = RowIndex(Path(scratch) / "rows.sqlite")
        build_index.build_row_index(after, index.path, previous=before)
        moves, compared = index.moves()
    if arguments.json:
        moved = {"rows": sum(one.rows for one in moves), "compared": compared}
        pairs = [{"before": one.before, "after": one.after, "rows": one.rows} for one in moves]
        print_json(found.as_dict() | {"moved": moved | {"pairs": pairs}})
    else:
        _print_comparison(found, moves, compared)
    return EXIT_OK


def _print_comparison(found: Comparison, moves: Sequence[Move], compared: int) -> None:
    print_pairs([("before", found.before), ("after", found.after)])
    print("\nmeasured")
    for what, one, other in found.measured:
        values = (NOT_SAID if value is None else str(value) for value in (one, other))
        print(visible(f"  {what:<34}  {'  →  '.join(values)}"))
    if not found.measured:
        print("  nothing: neither has true labels, or a blind sheet that was filled in")
    print(f"\nlabels of {found.rows[0]:,} and {found.rows[1]:,} rows")
    for label, *counts in found.shares:
        shown = (NOT_SAID if count is None else f"{count:,}" for count in counts)
        print(visible(f"  {label:<34}  {'  →  '.join(shown)}"))
    print("\nsettings that differ")
    for key, old, new in found.settings:
        print(visible(f"  {key}\n  - {old}\n  + {new}"))
    if not found.settings:
        print("  none")
    print(f"\n{sum(one.rows for one in moves):,} of {compared:,} rows that both have got another label")
    for move in moves:
        print(visible(f"  {move.rows:>7,}  {move.before or '(none)'} → {move.after or '(none)'}"))


def _two_versions(folder: Path, said: Sequence[str]) -> tuple[Path, Path]:
    if len(said) > 2:
        raise ConfigError("compares two versions", where=Where(key="VERSION"), hint="name the older, then the newer")
    if len(said) == 2:
        return find_version_by_name(folder, said[0]), find_version_by_name(folder, said[1])
    after = model_folders.results_folder(folder / "model" if (folder / "model").is_dir() else folder).resolve()
    if said:
        return find_version_by_name(folder, said[0]), after
    older = [
        one
        for one in finished_versions(folder)
        if one.resolve() != after and _when_version_finished(one) <= _when_version_finished(after)
    ]
    if not older:
        if not finished_versions(folder):
            read_metrics(folder)  # what is no finished model is told so, not that it has one version only
        hint = "name two: models/NAME/versions holds them"
        raise ConfigError("has no version before the current one", where=Where(file=folder), hint=hint)
    return max(older, key=_when_version_finished), after


def _when_version_finished(version: Path) -> str:
    from freeal.errors import CorruptModelError
    from freeal.results.run_json_file import read_run_json

    try:
        return str(read_run_json(version).get("finished", ""))
    except CorruptModelError:
        return ""
