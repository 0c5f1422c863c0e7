"""`make bench-accuracy`: how accurate the method and its parts are on real data, measured cell by cell.

Cells that are done are not measured again, so a long table may be run in pieces, and a kill costs the cell under way.
"""

# ruff: noqa: T201 - a command line prints

from __future__ import annotations

import argparse
import dataclasses
import importlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "noisy_labels"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "shared"))

import data_sets
import place
from cells import Cell, Selection, plan
from data_sets import DATA_SETS
from methods import METHODS, TABLES
from place import Folders
from results import Record, Results, seconds_left

from freeal.compute import cpu_threads


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is selected and not done yet, then print its tables. 1 when a cell failed."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    os.environ.update(cpu_threads.ENVIRONMENT)  # before torch is imported, by a cell
    for table in ("voices", "cascade", "trainer", "forms", "cross_fit"):  # no cells: grids of their own
        if f"--table={table}" in words or f"--table {table}" in " ".join(words):
            grid = importlib.import_module(table)
            return int(grid.main(words))
    given = _parser().parse_args(arguments)
    selection = Selection(
        tables=given.table,
        data=given.data,
        methods=given.methods,
        seeds=given.seeds,
        rows=given.rows,
        test_rows=given.test_rows,
        llms=given.llm,
        student=given.student,
        epochs=given.epochs,
        iterations=given.iterations,
    )
    results = Results(given.results)
    cells = plan(selection)
    if given.list:
        return _list(cells, results)
    failed = 0
    if not given.render_only:
        failed = _run(cells, results, Folders(data=given.data_folder, record=given.results.parent), again=given.again)
    _render(selection, results, given)
    return 1 if failed else 0


def run_cells(
    cells: Sequence[Cell], results: Results, measure: Callable[[Cell], Record], *, origin: Callable[[], Record]
) -> int:
    """Measure `cells` in order, record each, and return how many failed; a failure ends only its own cell."""
    failed = 0
    for number, cell in enumerate(cells, start=1):
        print(f"[{number}/{len(cells)}] {cell}", flush=True)
        started = time.monotonic()
        try:
            record = measure(cell)
        except Exception as cause:  # noqa: BLE001 - recorded and printed, and the exit status says so
            failed += 1
            record = _failure(cell, cause, seconds=time.monotonic() - started)
            traceback.print_exc()
            print(f"    FAILED: {record['error']}", flush=True)
        else:
            print(f"    {_in_short(record)}", flush=True)
        results.append(record | origin())
        if left := cells[number:]:
            print(f"    {_estimate(left, results)}", flush=True)
    return failed


def _run(cells: Sequence[Cell], results: Results, folders: Folders, *, again: bool) -> int:
    reasons = {name: data_sets.missing(DATA_SETS[name], folders.data) for name in dict.fromkeys(c.data for c in cells)}
    for reason in filter(None, reasons.values()):
        print(f"skipped: {reason}")
    there = [cell for cell in cells if reasons[cell.data] is None]
    done = results.latest()
    wanted = [cell for cell in there if again or cell.key not in done]
    print(f"{len(there)} cells, {len(there) - len(wanted)} done before; {results.file}", flush=True)
    if not wanted:
        return 0
    print(_estimate(wanted, results), flush=True)
    from measure import measure  # torch and its company, only where something is measured

    return run_cells(wanted, results, lambda cell: measure(cell, folders), origin=place.origin)


def _failure(cell: Cell, cause: Exception, *, seconds: float) -> Record:
    return {
        "cell": dataclasses.asdict(cell),
        "overrides": METHODS[cell.method].overrides,
        "status": "failed",
        "error": f"{type(cause).__name__}: {cause}",
        "seconds": round(seconds, 1),
    }


def _in_short(record: Record) -> str:
    scores = ", ".join(f"{name} {value:.3f}" for name, value in record["scores"].items())
    calls = f", {record['calls']} calls ({record['from_store']} of them stored)" if record["calls"] else ""
    return f"{record['seconds']:.0f} s{calls}: {scores}"


def _estimate(cells: Sequence[Cell], results: Results) -> str:
    seconds, unknown = seconds_left(cells, results.records())
    known = f"about {seconds / 60:.0f} minutes" if unknown < len(cells) else "nobody knows how long"
    rest = f" and {unknown} nothing is known of" if 0 < unknown < len(cells) else ""
    return f"{len(cells)} cells to go, {known}{rest}"


def _list(cells: Sequence[Cell], results: Results) -> int:
    done = results.latest()
    for cell in cells:
        record = done.get(cell.key)
        print(f"{'done' if record else '-':6}{cell}" + (f" · {record['seconds']:.0f} s" if record else ""))
    print(_estimate([cell for cell in cells if cell.key not in done], results))
    return 0


def _render(selection: Selection, results: Results, given: argparse.Namespace) -> None:
    import sections
    import tables

    text = tables.render(selection, results.latest(), command=_command(given))
    if given.write is None:
        print(f"\n{text}")
        return
    sections.replace(given.write, given.section, text)
    print(f"wrote {given.write}")


def _command(given: argparse.Namespace) -> str:
    defaults = vars(_parser().parse_args([]))
    unsaid = {"list", "again", "write", "section", "render_only", "results", "data_folder"}
    parts = ["make bench-accuracy"]
    changed = {name: value for name, value in vars(given).items() if name not in unsaid and value != defaults[name]}
    flags = [
        f"--{name.replace('_', '-')} {','.join(map(str, value)) if isinstance(value, tuple) else value}"
        for name, value in changed.items()
    ]
    if flags:
        parts.append(f'ARGS="{" ".join(flags)}"')
    return " ".join(parts)


def _names(known: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    def parse(text: str) -> tuple[str, ...]:
        names = tuple(part.strip() for part in text.split(",") if part.strip())
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
        return names

    return parse


def _words(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in _words(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of whole numbers such as 0,1,2") from None


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="accuracy.py", description=__doc__)
    choose = parser.add_argument_group("what is measured (lists with commas)")
    choose.add_argument("--table", type=_names(tuple(TABLES)), default=tuple(TABLES), help=", ".join(TABLES))
    choose.add_argument("--data", type=_names(tuple(DATA_SETS)), help=", ".join(DATA_SETS))
    choose.add_argument("--methods", type=_names(tuple(METHODS)), help=", ".join(METHODS))
    choose.add_argument("--seeds", type=_numbers, default=(0, 1, 2))
    choose.add_argument("--rows", type=_count, help="of the training file; default: what the table says")
    choose.add_argument("--test-rows", type=_count, help="default: all")
    choose.add_argument(
        "--llm", type=_words, default=("smollm2",), help="smollm2, gemma3-270m, a folder, file or hub id"
    )
    choose.add_argument("--student", default="minilm", help="as student.model")
    choose.add_argument("--epochs", type=_count, help="of every student; default: what the table says")
    choose.add_argument("--iterations", type=_count, help="rounds at most; default: that of the settings")
    parser.add_argument("--list", action="store_true", help="show the cells and which are done, measure nothing")
    parser.add_argument("--again", action="store_true", help="measure again what is done")
    parser.add_argument("--render-only", action="store_true", help="measure nothing, make the tables of what is done")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the tables into a section of this file")
    parser.add_argument("--section", default="accuracy", help="between whose marks; default: accuracy")
    parser.add_argument("--results", type=Path, default=place.STATE / "accuracy.jsonl")
    parser.add_argument("--data-folder", type=Path, default=place.ROOT.parent / "shared" / "data")
    return parser


if __name__ == "__main__":
    # A stop leaves through the usual way out, so that the folder of the cell under way goes with it.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    sys.exit(main())
