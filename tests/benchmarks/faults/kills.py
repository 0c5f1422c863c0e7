"""`make bench-kills`: kill -9 at every point of a run and at random times, run once more, count what is wrong then.

lost: an input, an output, a row of the journal or money that is not where an undisturbed run has it; doubled: calls
paid for twice beyond the one under way; leftovers: files and folders an undisturbed run does not have. Then jobs that
ask are killed, and the server's bill is compared with what we say they cost, and may have cost at most. Everything
happens on this machine, in a temporary folder; the language model is the test server of freeal/testing/server.
"""

# ruff: noqa: T201 - a command line prints

from __future__ import annotations

import argparse
import dataclasses
import math
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "shared"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scenarios" / "kills"))  # shared with the tests

import bill
import bill_table
import kill_table
import provenance
import scenes
import sections
from matrix import Finding, Point, kill_at, random_kill, recorded
from stage import Stage

from freeal.testing.server import MessagesServer
from freeal.testing.tiny_encoder import tiny_encoder

_PACKAGES = ("freeal-daemon", "anyio", "torch")
_LONGEST_SECONDS = 3.0
_LATENCY_SECONDS = 0.3
"""Of an answer, where the bill is looked at: most kills find calls under way."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Kill, then print the table or write it. 1 when anything was lost, doubled or left over."""
    given = _parser().parse_args(arguments)
    table = kill_table.Table()
    with tempfile.TemporaryDirectory(prefix="freeal-kills-") as folder, MessagesServer(answer=scenes.verdict) as server:
        until = time.monotonic() + given.minutes * 60.0
        for number, (group, finding) in enumerate(_findings(Path(folder), server, given), start=1):
            table.add(group, finding)
            if time.monotonic() > until:
                print(f"{given.minutes:g} minutes are over: the rest is left out")
                break
            for note in finding.notes:
                print(f"{group}: {note}", flush=True)
            if number % 20 == 0:
                print(f"{number} kills", flush=True)
        bills = _bills(Path(folder), given)
    tables = [table.markdown(), *([bills.markdown()] if given.bill or given.bill_service else [])]
    text = "\n\n".join([provenance.command("bench-kills", given, _parser()), provenance.source(_PACKAGES), *tables])
    if given.write is None:
        print(f"\n{text}")
    else:
        sections.replace(given.write, "kills", text)
        print(f"wrote {given.write}")
    return 0 if table.is_clean and bills.is_clean else 1


def _bills(folder: Path, given: argparse.Namespace) -> bill_table.BillTable:
    """The server's bill against our books."""
    table = bill_table.BillTable()
    kinds = (("jobs", bill.of_jobs, given.bill), ("services", bill.of_service, given.bill_service))
    with MessagesServer(answer=scenes.verdict, latency_seconds=_LATENCY_SECONDS) as server:
        for name, accounts, kills in kinds:
            for account in accounts(folder / name, server, random.Random(given.seed), kills=kills) if kills else ():
                table.add(account)
                if not account.holds:
                    print(f"{account}", flush=True)
    return table


def _findings(folder: Path, server: MessagesServer, given: argparse.Namespace) -> Iterator[tuple[str, Finding]]:
    """All kinds take turns, each in an order of its own that `seed` decides: a part of them stands for the whole."""
    kinds = []
    for name in ("first", "later") if given.every else ():
        stage = getattr(scenes, name)(folder / name, server)
        kinds.append(_at_points(stage, every=given.every, seed=given.seed, in_flight=1))
    if given.random:
        kinds.append(_at_random(scenes.first(folder / "random", server), given))
    if given.real:
        stage = scenes.real(folder / "real", server, tiny_encoder(folder / "encoder"))
        kinds.append(_real(stage, given))
    while kinds:
        for kind in [*kinds]:
            if (found := next(kind, None)) is None:
                kinds.remove(kind)
            else:
                yield found


def _at_points(
    stage: Stage,
    *,
    every: int,
    seed: int,
    in_flight: int,
    calls: tuple[str, ...] = (),
    group: Callable[[Point], str] | None = None,
) -> Iterator[tuple[str, Finding]]:
    reference = stage.copy_to(stage.beside("reference"))
    reference.run()
    picture = reference.picture()
    points = recorded(stage.copy_to(stage.beside("recorded")), calls=calls)
    random.Random(seed).shuffle(points)
    for number, point in enumerate(points[::every]):
        copy = stage.copy_to(stage.beside(str(number)))
        # with torch, a job whose process alone dies is tried once more with half the batch, and learns a little else
        found = kill_at(copy, dataclasses.replace(point, whole=bool(calls)), picture, in_flight=in_flight, calls=calls)
        if found.reached:
            yield (group or kill_table.group)(point), found
        copy.remove()


def _at_random(stage: Stage, given: argparse.Namespace) -> Iterator[tuple[str, Finding]]:
    reference = stage.copy_to(stage.beside("reference"))
    reference.run()
    picture = reference.picture()
    chance = random.Random(given.seed)
    for number in range(given.random):
        times = 1 + number % 2
        copy = stage.copy_to(stage.beside(str(number)))
        found = random_kill(copy, chance, picture, longest=_LONGEST_SECONDS, in_flight=times, times=times)
        if found.reached:
            yield f"any process, at a random time{', twice in a row' if times == 2 else ''}", found
        copy.remove()


def _real(stage: Stage, given: argparse.Namespace) -> Iterator[tuple[str, Finding]]:
    yield from _at_points(
        stage,
        every=given.real,
        seed=given.seed,
        in_flight=scenes.CONCURRENCY,
        calls=scenes.REAL_CALLS,
        group=lambda point: f"with torch: {kill_table.group(point)}",
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kills.py", description=__doc__)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="kill at every Nth point; 0: at none")
    parser.add_argument("--random", type=int, default=60, metavar="N", help="kills at random times; 0: none")
    parser.add_argument(
        "--real", type=int, default=25, metavar="N", help="every Nth point of a run with torch; 0: none"
    )
    parser.add_argument("--bill", type=int, default=100, metavar="N", help="kills of jobs that ask, bill against books")
    parser.add_argument("--bill-service", type=int, default=10, metavar="N", help="the same with the whole service")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop then, with what was measured so far")
    parser.add_argument("--seed", type=int, default=0, help="of the random times")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into this file's section")
    return parser


if __name__ == "__main__":
    sys.exit(main())
