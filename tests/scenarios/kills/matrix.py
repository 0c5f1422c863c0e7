"""Killing a run at a point, running once more, and comparing with a run that nobody disturbed."""

from __future__ import annotations

import dataclasses
import os
import random
import signal
import subprocess
import time
from pathlib import Path

from stage import Picture, Stage


@dataclasses.dataclass(frozen=True, slots=True)
class Point:
    """The n-th time something is about to happen in a process of a role."""

    role: str
    what: str
    nth: int = 1
    whole: bool = False
    """Whether every process is killed, not this one alone."""

    @property
    def name(self) -> str:
        return f"{self.role}: {self.what}"


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """What a kill left, after one more run. All three counts are 0 when nothing is wrong; `notes` says what is."""

    reached: bool
    lost: int
    doubled: int
    leftovers: int
    notes: tuple[str, ...] = ()

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.doubled or self.leftovers)


def recorded(stage: Stage, *, calls: tuple[str, ...] = ()) -> list[Point]:
    """Every point that an undisturbed run of the stage passes, in their order."""
    log = stage.beside("points")
    stage.run({"record": str(log), "calls": calls})
    counts: dict[tuple[str, str], int] = {}
    points = []
    for line in log.read_text().splitlines():
        role, _, what = line.partition("\t")
        nth = counts[role, what] = counts.get((role, what), 0) + 1
        points.append(Point(role, what, nth))
    return points


def kill_at(stage: Stage, point: Point, reference: Picture, *, in_flight: int, calls: tuple[str, ...] = ()) -> Finding:
    """Kill a run of the stage at the point, run once more, compare."""
    fuse = stage.beside("fuse")
    faults = {
        "role": point.role,
        "point": point.what,
        "nth": point.nth,
        "act": "kill all" if point.whole else "kill",
        "fuse": str(fuse),
        "calls": calls if point.what.startswith("call ") else (),
    }
    stage.run(faults)
    return _after(stage, reference, reached=fuse.exists(), in_flight=in_flight)


def fault_at(stage: Stage, point: Point, reference: Picture, *, act: str, lasting: bool) -> Finding:
    """Let one operation of a run fail, or it and every write that follows, then run once more on a sound disk.

    A fault that is not survived is a loss: nothing is put to failed/ for it, and nothing is tried again by hand.
    """
    mark = stage.beside("fuse")
    faults = {"role": point.role, "point": point.what, "nth": point.nth, "act": act}
    code = stage.run(faults | {"lasting" if lasting else "fuse": str(mark)})
    reached = mark.exists()
    mark.unlink(missing_ok=True)
    said = stage.beside("log").read_text()
    stage.run()
    found = compare(stage, reference, reached=reached, in_flight=0)
    if "Traceback" in said or code not in {0, 1}:
        crash = f"the run ended with {code}: {said[-2000:]}"
        found = dataclasses.replace(found, lost=found.lost + 1, notes=(*found.notes, crash))
    return found


def random_kill(
    stage: Stage, chance: random.Random, reference: Picture, *, longest: float, in_flight: int, times: int = 1
) -> Finding:
    """Kill the daemon, or all its processes, at moments that `chance` draws, `times` in a row; then the same."""
    reached = False
    for _ in range(times):
        process = stage.start({"act": "kill"})
        seconds, whole = chance.uniform(0.05, longest), chance.random() < 0.5
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            reached = True
            for pid in {process.pid, *(stage.pids() if whole else ())}:
                _kill(pid)
            process.wait()
        _wait_for_orphans(stage)
    return _after(stage, reference, reached=reached, in_flight=in_flight)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _after(stage: Stage, reference: Picture, *, reached: bool, in_flight: int) -> Finding:
    _wait_for_orphans(stage)
    stage.try_again()
    stage.run()
    return compare(stage, reference, reached=reached, in_flight=in_flight)


def _wait_for_orphans(stage: Stage) -> None:
    """Children of a killed daemon end by themselves; what they still write belongs to the kill, not to the next run."""
    for pid in stage.pids():
        while _is_ours(pid, stage.folder):
            time.sleep(0.01)


def _is_ours(pid: int, folder: Path) -> bool:
    try:
        return str(folder).encode() in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False


def compare(stage: Stage, reference: Picture, *, reached: bool = True, in_flight: int = 0) -> Finding:
    """The stage as it is now beside how it should be."""
    found = stage.picture()
    lost = [
        f"{path}: {content} became {found.files.get(path, 'nothing')}"
        for path, content in reference.files.items()
        if set(content) - set(found.files.get(path, [])) or len(found.files[path]) < len(content)
    ]
    more = [
        f"{path}: {content} is left over"
        for path, content in found.files.items()
        if len(content) > len(reference.files.get(path, []))
    ]
    lost += [] if found.rows == reference.rows else [f"journal: {reference.rows} became {found.rows}"]
    doubled = stage.doubled(in_flight=in_flight)
    notes = [*lost, *more, *([f"{doubled} calls paid twice"] if doubled else [])]
    billed, charged = found.money
    if charged < billed - 1e-6:
        notes.append(f"{billed} USD were billed, {charged} booked")
        lost.append(notes[-1])
    return Finding(reached, len(lost), doubled, len(more), tuple(notes))
