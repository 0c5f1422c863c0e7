"""`make bench-faults`: the whole fault matrix, folded into a table: each unit of work under each kind of fault.

Every step of a unit raises every kind once, in a run of its own, followed by a restart without a fault. A cell tells
what became of them. ARGS="--write docs/benchmarks.md"; ARGS="--log FILE" folds what an earlier run of the test printed.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "shared"))

import provenance
import sections
from place import ROOT

TEST = "tests/daemon/service/test_fault_matrix.py"
_ROW = re.compile(r"^\.?\| (?P<unit>[^|]+) \| (?P<step>[\w.:]+) \| (?P<kind>\w+) \| (?P<outcome>[^|]+) \|$")
_SHORT = {"failed, with the reason; the rest done": "failed"}


def main() -> int:
    """Run or read, then write the table. 1 where a cell is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--log", type=Path, help="what an earlier run printed, in place of a run")
    parser.add_argument("--write", type=Path, help="a file whose section `faults` is replaced")
    given = parser.parse_args()
    lines = given.log.read_text(errors="replace").splitlines() if given.log else _run()
    table, wrong = fold(lines)
    given.log = None  # how it was read is nothing a reader can repeat
    text = "\n\n".join([provenance.command("bench-faults", given, parser), provenance.source(("anyio",)), table])
    if given.write is None:
        sys.stdout.write(f"{text}\n")
    else:
        sections.replace(given.write, "faults", text)
    sys.stderr.write("".join(f"{line}\n" for line in wrong))
    return 1 if wrong else 0


def _run() -> list[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-m", "slow", TEST]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line.rstrip("\n"))
            if _ROW.match(lines[-1]):
                sys.stderr.write(line)
        return lines


def fold(lines: Iterable[str]) -> tuple[str, list[str]]:
    """The table, and the rows that say that something went wrong. A cell that was run twice counts as it was last."""
    found = filter(None, map(_ROW.match, lines))
    last = {(row["unit"], row["kind"], row["step"]): row["outcome"] for row in found}
    cells: dict[tuple[str, str], Counter[str]] = {}
    for (unit, kind, _), outcome in last.items():
        cells.setdefault((unit, kind), Counter())[_SHORT.get(outcome, outcome.partition(":")[0])] += 1
    units, kinds = (list(dict.fromkeys(key[place] for key in cells)) for place in (0, 1))
    rows = [
        [unit, *("; ".join(f"{count} {what}" for what, count in cells.get((unit, kind), {}).items()) for kind in kinds)]
        for unit in units
    ]
    head = [["a fault in the steps of", *kinds], ["---"] * (len(kinds) + 1)]
    wrong = [f"{key}: {outcome}" for key, outcome in last.items() if outcome.startswith("WRONG")]
    return "\n".join(f"| {' | '.join(row)} |" for row in [*head, *rows]), wrong


if __name__ == "__main__":
    sys.exit(main())
