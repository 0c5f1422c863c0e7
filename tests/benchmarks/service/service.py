"""`make bench-service`: what the service costs while nothing happens, how soon it takes a file, how many small
predictions it makes a minute. Measured from outside, on the real program, beside a baseline in the same run."""

# ruff: noqa: T201 - a command line prints

from __future__ import annotations

import argparse
import dataclasses
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "shared"))

import provenance
import sections
import service_place
from service_place import Place, Service, running

_STABILITY_SECONDS = 0.5
_POLL_SECONDS = 1.0
_RESCAN_SECONDS = 30.0
_SETTLING_SECONDS = 5.0
_PATIENCE_SECONDS = 120.0
_SPEC = "labels: [only one]\n"
"""A mistake: its job fails as soon as it is taken, so that no process is started."""
_ROWS = "text\n" + "\n".join(service_place.TEXTS[:10]) + "\n"
_PACKAGES = ("freeal-daemon", "torch", "transformers", "watchdog", "anyio")
_MEGABYTE = 1_000_000


@dataclasses.dataclass(frozen=True)
class Line:
    """One line of the table: what was measured, what came out, what it is held against."""

    what: str
    found: str
    baseline: str
    goal: str
    is_met: bool


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, then print the table or write it. 1 when a goal is missed."""
    given = _parser().parse_args(arguments)
    place = Place(Path(tempfile.mkdtemp(prefix="freeal-bench-")))
    try:
        lines = [line for part in given.parts for line in _PARTS[part](place, given)]
    finally:
        service_place.empty(place)
    text = "\n".join([_header(given), "", *_table(lines)])
    if given.write is None:
        print(f"\n{text}")
    else:
        sections.replace(given.write, "service", text)
        print(f"wrote {given.write}")
    return 0 if all(line.is_met for line in lines) else 1


def _idle(place: Place, given: argparse.Namespace) -> list[Line]:
    print(f"idle: {given.models} models, {given.done} done files, {given.seconds} s", flush=True)
    service_place.fill(place, models=given.models, done=given.done)
    place.settings(f"{{rescan_seconds: {_RESCAN_SECONDS:g}}}")
    with running(place):
        pass  # the first start of all also fills the file system's cache
    with running(place) as service:
        time.sleep(_SETTLING_SECONDS)
        cpu, memory = _over(service, given.seconds)
        ready, busy = service.ready_seconds, service.ready_cpu_seconds
    bare = subprocess.run(
        [sys.executable, "-c", "print(open('/proc/self/statm').read().split()[1])"], capture_output=True, check=True
    )
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    interpreter = time.monotonic() - started
    bare_megabytes = int(bare.stdout) * 4096 / _MEGABYTE
    return [
        Line("processor, idle", f"{cpu:.2%} of a core", "0", "below 0.5 %", cpu < 0.005),
        Line("memory, idle", f"{memory:.0f} MB", f"{bare_megabytes:.0f} MB, bare Python", "below 90 MB", memory < 90),
        Line(
            "start to READY",
            f"{ready:.2f} s, {busy:.2f} s of it at work",
            f"{interpreter:.2f} s, bare Python",
            "below 1 s",
            ready < 1,
        ),
    ]


def _over(service: Service, seconds: float) -> tuple[float, float]:
    """Share of a core, and the most memory (MB) seen at ten moments."""
    before, began = service.cpu_seconds(), time.monotonic()
    memory = 0
    for _ in range(10):
        time.sleep(seconds / 10)
        memory = max(memory, service.memory_bytes())
    return (service.cpu_seconds() - before) / (time.monotonic() - began), memory / _MEGABYTE


def _pickup(place: Place, given: argparse.Namespace) -> list[Line]:
    lines = []
    for mode, goal in (("native", 0.3), ("poll", _POLL_SECONDS)):
        print(f"pick-up: {mode}, {given.drops} pairs", flush=True)
        place.settings(f"{{mode: {mode}, stability_seconds: {_STABILITY_SECONDS}, poll_seconds: {_POLL_SECONDS}}}")
        with running(place):
            time.sleep(_SETTLING_SECONDS)
            found = [_until_taken(place, number) for number in range(given.drops)]
        spread = f"{statistics.median(found):.2f} s, at worst {max(found):.2f} s"
        asked = "below 0.3 s" if mode == "native" else f"below one interval ({_POLL_SECONDS:g} s)"
        least = f"{_POLL_SECONDS / 2:.2f} s, half an interval" if mode == "poll" else "0"
        lines.append(Line(f"pick-up, {mode}", spread, least, asked, statistics.median(found) < goal))
    return lines


def _until_taken(place: Place, number: int) -> float:
    """Seconds from the pair's second file to its disappearance, beyond the time it has to stand still."""
    place.drop(place.inbox / f"pair{number}.yaml", _SPEC)
    time.sleep(0.1 + 0.037 * (number % 27))  # not in step with anybody's interval
    csv = place.inbox / f"pair{number}.csv"
    place.drop(csv, f"text\n{number}\n")
    dropped = time.monotonic()
    _wait(lambda: not csv.exists(), seconds=0.002)
    return time.monotonic() - dropped - _STABILITY_SECONDS


def _predictions(place: Place, given: argparse.Namespace) -> list[Line]:
    print(f"predictions: {given.files} files of 10 rows", flush=True)
    service_place.train(place)
    cold = statistics.median(_cold(place) for _ in range(3))
    place.settings(f"{{stability_seconds: {_STABILITY_SECONDS}}}")
    with running(place):
        place.drop(place.predict / "first.csv", _ROWS)
        _wait((place.predictions / "first.csv").exists)
        began = time.monotonic()
        for number in range(given.files):
            place.drop(place.predict / f"file{number}.csv", _ROWS)
        names = [place.predictions / f"file{number}.csv" for number in range(given.files)]
        _wait(lambda: all(name.exists() for name in names), seconds=0.05)
        seconds = time.monotonic() - began
    warm, single = 60 * given.files / seconds, 60 / cold
    return [
        Line(
            "predictions of 10 rows",
            f"{warm:.0f} files a minute, {warm / single:.0f} times as many",
            f"{single:.1f} a minute, `python -m freeal predict` for each",
            "20 times",
            warm >= 20 * single,
        )
    ]


def _cold(place: Place) -> float:
    (place.folder / "cold.csv").write_text(_ROWS, encoding="utf-8")
    command = [sys.executable, "-m", "freeal", "predict", "--model-dir", place.model, "--input-csv", "cold.csv"]
    started = time.monotonic()
    subprocess.run([*command, "--output-csv", "out.csv"], cwd=place.folder, check=True, capture_output=True)
    return time.monotonic() - started


def _wait(happened: Callable[[], bool], *, seconds: float = 0.02) -> None:
    end = time.monotonic() + _PATIENCE_SECONDS
    while not happened():
        if time.monotonic() > end:
            raise TimeoutError(f"nothing came within {_PATIENCE_SECONDS:g} seconds")
        time.sleep(seconds)


_PARTS = {"idle": _idle, "pickup": _pickup, "predictions": _predictions}


def _table(lines: Sequence[Line]) -> list[str]:
    rows = ["| | service | beside it | goal | |", "| --- | --- | --- | --- | --- |"]
    for line in lines:
        verdict = "met" if line.is_met else "missed"
        rows.append(f"| {line.what} | {line.found} | {line.baseline} | {line.goal} | {verdict} |")
    return rows


def _header(given: argparse.Namespace) -> str:
    return "\n".join(
        [
            provenance.command("bench-service", given, _parser()),
            "",
            _explanation(given),
            "",
            provenance.source(_PACKAGES),
            *([f"- {given.note}"] if given.note else []),
        ]
    )


def _explanation(given: argparse.Namespace) -> str:
    return (
        f"Idle: {given.models} models, {given.done:,} files in `done`, {given.seconds:g} seconds, the service's own "
        f"process. Pick-up: {given.drops} pairs each, from the second file's rename to its being claimed, less the "
        f"{_STABILITY_SECONDS:g} seconds a file has to stand still; the median is held against the goal. Predictions: "
        f"{given.files} files dropped at once, until the last is published."
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="service.py", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0, help="how long idleness is watched")
    parser.add_argument("--models", type=int, default=100, help="finished models that lie there")
    parser.add_argument("--done", type=int, default=10_000, help="files in done folders that lie there")
    parser.add_argument("--drops", type=int, default=30, help="pairs dropped per way of watching")
    parser.add_argument("--files", type=int, default=200, help="small files to predict")
    parser.add_argument("--parts", nargs="+", choices=list(_PARTS), default=list(_PARTS), help="leave others out")
    parser.add_argument("--note", default="", help="a remark for the table, such as what else the machine did")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into this file's section")
    return parser


if __name__ == "__main__":
    sys.exit(main())
