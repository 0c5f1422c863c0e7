"""Where inputs go when their job is over: done/<job>/ or failed/<job>/, the latter with the reason beside them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from daemon import clock
from daemon.outbox import publish
from daemon.processes.protocol import Failure
from freeal import atomic


def to_done(inputs: Path, folder: Path) -> None:
    """Move every file of a claimed `inputs` folder into `folder`. May be repeated."""
    _move_all(inputs, publish.make_folder(folder))


def to_failed(inputs: Path, folder: Path, failure: Failure, *, subject: str, then: str, now: float) -> dict[str, Any]:
    """Write the reason into `folder`, then move the inputs there; the content of error.json. May be repeated.

    `subject` names the job; `then` is what the user does after mending the cause.
    """
    publish.make_folder(folder)
    names = {entry.name for entry in _entries(inputs)} | {entry.name for entry in _entries(folder)}
    where = dict(failure.where)
    file = where.get("file")
    if file is not None and Path(str(file)).name in names:
        where["file"] = os.fspath(folder / Path(str(file)).name)  # where the user finds it now
    report = {
        "job": subject,
        "time": clock.iso(now),
        "kind": failure.kind,
        "problem": failure.problem,
        "where": where,
        "hint": failure.hint,
    }
    atomic.write_json(folder / "error.json", report)
    with atomic.writing(folder / "ERROR.txt") as stream:
        stream.write(_prose(report, then))
    _move_all(inputs, folder)
    return report


def _prose(report: dict[str, Any], then: str) -> str:
    where = report["where"]
    place = [str(where["file"])] if "file" in where else []
    place += [f"line {where['line']}"] if "line" in where else []
    place += [f"{word} '{where[word]}'" for word in ("column", "key") if word in where]
    lines = [f"What:   {report['problem']}"]
    lines += [f"Where:  {', '.join(place)}"] if place else []
    lines += [f"To do:  {report['hint']}"] if report["hint"] else []
    lines += [f"Then:   {then}", "", f"{report['job']}, {report['time']}, {report['kind']}"]
    return "\n".join(lines) + "\n"


def _entries(folder: Path) -> Iterable[Path]:
    """Visible entries only: a hidden one is a copy that was cut off."""
    return sorted(entry for entry in folder.iterdir() if entry.name[0] != ".") if folder.is_dir() else ()


def _move_all(inputs: Path, folder: Path) -> None:
    for entry in _entries(inputs):
        publish.move(entry, folder / entry.name)
