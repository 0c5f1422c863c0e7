"""`make bench-llm`: how near to a server's limits the language model edge comes, and what faults cost it.

Everything runs on this machine: the test server of freeal/testing/server in one process, each client in another.
"""

# ruff: noqa: T201 - a command line prints

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "shared"))

import provenance
import sections
import traffic
import traffic_tables
from traffic_clients import Work, run
from traffic_server import serving
from traffic_tables import Measured

from freeal.testing.server import Limits

_SEQUENTIAL_ROWS = 100
_FAULT_SHARE = 0.05
_FAULT_CONCURRENCY = 32
_DUPLICATES = 0.02
_PACKAGES = ("freeal-daemon", "anthropic", "httpx2", "anyio")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, then print the tables or write them. 1 when a row was lost or an answer paid for twice."""
    given = _parser().parse_args(arguments)
    parts = [traffic_tables.legend(rows=given.rows, part=_SEQUENTIAL_ROWS)] if given.rows else []
    if given.rows:
        parts.append(traffic_tables.of_limits(_limits(given.rows)))
    faulty = _faults(given.rows_faults) if given.rows_faults else []
    if faulty:
        parts.append(traffic_tables.of_faults(faulty, share=_FAULT_SHARE))
    text = "\n\n".join([provenance.command("bench-llm", given, _parser()), provenance.source(_PACKAGES), *parts])
    if given.write is None:
        print(f"\n{text}")
    else:
        sections.replace(given.write, "llm", text)
        print(f"wrote {given.write}")
    return 0 if traffic_tables.accounted(faulty) and traffic_tables.paid_once(faulty) else 1


def _limits(rows: int) -> dict[traffic.Setting, list[Measured]]:
    return {setting: _of_setting(setting, rows) for setting in traffic.settings(traffic.texts(rows))}


def _of_setting(setting: traffic.Setting, rows: int) -> list[Measured]:
    found = []
    for way in ("freeal", "gather", "semaphore", "sequential"):
        part = min(rows, _SEQUENTIAL_ROWS) if way == "sequential" else rows
        with serving(limits=setting.limits) as server:
            work = Work(way, server.base_url, part, setting.concurrency)
            found.append(Measured(way, run(work), server.end(), part, rows))
        print(f"{setting.name}: {way}: {found[-1].outcome.wall_seconds:.1f} s", flush=True)
    return found


def _faults(rows: int) -> list[Measured]:
    found = []
    for way in ("freeal", "freeal in memory"):
        with serving(limits=Limits(), fault_share=_FAULT_SHARE, rows=rows) as server:
            work = Work(
                way,
                server.base_url,
                rows,
                _FAULT_CONCURRENCY,
                duplicates=_DUPLICATES,
                timeout_seconds=traffic.TIMEOUT_SECONDS,
            )
            found.append(Measured(way, run(work), server.end(), rows, rows))
        print(f"faults: {way}: {found[-1].outcome.wall_seconds:.1f} s", flush=True)
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="llm.py", description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000, help="per client and setting of limits; 0: none of it")
    parser.add_argument("--rows-faults", type=int, default=10_000, help="per kind of store, with faults; 0: none of it")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the tables into this file's section")
    return parser


if __name__ == "__main__":
    sys.exit(main())
