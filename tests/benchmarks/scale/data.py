"""`make bench-data`: rows a second and memory of tables as they grow, beside pandas; and of predictions over them.

`--part tables` reads, makes texts and writes. `--part predict` is predict_size.py, which takes the other arguments.
"""

# ruff: noqa: T201 - a command line prints

from __future__ import annotations

import argparse
import dataclasses
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "shared"))

import place
import provenance
import sections
import table_ways

from freeal.table import write_rows

_PACKAGES = ("freeal-daemon", "pandas")
_WORDS = (
    "the parcel came late and nobody answered my mail, still the screen is bright; I would buy it again "  # noqa: SIM905
    'if the "fast" charger were faster: größer ist nicht besser'.split()
)


_LEGEND = """\
FreeAL reads, makes the text of each row and writes it with a label; encoding and dialect are found out first. pandas
reads and writes (`read_csv(dtype=str, keep_default_na=False)`, `to_csv`) and makes no text. Each run is a process of
its own. Seconds are those of the processor, so that a busy machine counts less; memory is what a run took beyond its
imports."""


@dataclasses.dataclass(frozen=True)
class Measured:
    """One way through one file: the fastest of its runs in seconds of the processor, and the most memory of any."""

    way: str
    rows: int
    file_bytes: int
    seconds: float
    mib: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, then print the tables or write them. 1 when a way lost a row."""
    given, others = _parser().parse_known_args(arguments)
    if given.part == "predict":
        import predict_size

        return predict_size.main([*others, *(["--write", str(given.write)] if given.write else [])])
    if others:
        _parser().error(f"unknown: {' '.join(others)}")
    with tempfile.TemporaryDirectory() as folder:
        found = [one for rows in given.rows for one in _of_size(Path(folder), rows, given.runs)]
    text = f"{_heading(given)}\n\n{table(found)}"
    if given.write is None:
        print(f"\n{text}")
    else:
        sections.replace(given.write, "data", text)
        print(f"wrote {given.write}")
    return 0


def make(path: Path, rows: int) -> None:
    """A table of reviews, about 130 bytes a row, a tenth of the texts quoted and with a line break in them."""
    chance = random.Random(0)
    with path.open("w", encoding="utf-8", newline="") as stream:
        write_rows(stream, ["id", "title", "body"], _rows(rows, chance), delimiter=",")


def _rows(rows: int, chance: random.Random) -> Iterable[list[str]]:
    for number in range(rows):
        words = chance.choices(_WORDS, k=20)
        if number % 10 == 0:
            words[5] = "or\nnot"
        yield [f"{number:08}", " ".join(words[:3]), " ".join(words[3:])]


def _of_size(folder: Path, rows: int, runs: int) -> list[Measured]:
    source = folder / "reviews.csv"
    make(source, rows)
    found = []
    for way in table_ways.WAYS:
        results = [_run(way, source, folder / "labelled.csv") for _ in range(runs)]
        if any(result["rows"] != rows for result in results):
            raise SystemExit(f"{way} lost rows")
        seconds, mib = min(result["processor_seconds"] for result in results), max(result["mib"] for result in results)
        found.append(Measured(way, rows, source.stat().st_size, seconds, mib))
        print(f"{rows:,} rows: {way}: {seconds:.2f} s, {mib:.0f} MiB", flush=True)
    return found


def _run(way: str, source: Path, target: Path) -> dict[str, float]:
    command = [sys.executable, str(Path(table_ways.__file__)), way, str(source), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=place.ROOT)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def table(found: Sequence[Measured]) -> str:
    """Markdown: a row per size and way, with what a row costs compared with the smallest file."""
    first = {one.way: one for one in reversed(found)}
    lines = [
        "| rows | MB | way | seconds | rows/s | time per row, to the smallest | MiB beyond the start |",
        "| ---: | ---: | --- | ---: | ---: | ---: | ---: |",
    ]
    for one in found:
        growth = (one.seconds / one.rows) / (first[one.way].seconds / first[one.way].rows)
        lines.append(
            f"| {one.rows:,} | {one.file_bytes / 1e6:,.1f} | {one.way} | {one.seconds:.2f} "
            f"| {one.rows / one.seconds:,.0f} | {growth:.2f} | {one.mib:,.0f} |"
        )
    return "\n".join(lines)


def _heading(given: argparse.Namespace) -> str:
    return "\n".join(
        [
            "## Tables",
            "",
            f"`make bench-data`, the fastest of {given.runs} runs",
            "",
            provenance.source(_PACKAGES),
            "",
            _LEGEND,
        ]
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="data.py", description=__doc__)
    parser.add_argument("--part", choices=["tables", "predict"], default="tables")
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000], help="of tables")
    parser.add_argument("--runs", type=int, default=3, help="of each way; the fastest counts")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into this file's section")
    return parser


if __name__ == "__main__":
    sys.exit(main())
