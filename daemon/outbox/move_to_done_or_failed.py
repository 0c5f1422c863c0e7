"""Where inputs go when their job is over: done/<job>/ or failed/<job>/, the latter with the reason beside them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from daemon.host import clock
from daemon.outbox import durable_file_moves
from daemon.outbox.error_json_in_words import error_text
from daemon.processes.message_protocol import Failure
from freeal.files import atomic_write, regular_file

REPORT = "error.json"
PROSE = "ERROR.txt"
REPORT_BYTES = 5_000_000
"""Whoever may read the reports may also write in their folder: no more is believed to be one."""


def move_to_done(inputs: Path, folder: Path) -> None:
    """Move every file of a claimed `inputs` folder into `folder`. May be repeated.

    Raises `RefusedFileError` where `folder` is reached through a link.
    """
    _move_all(inputs, durable_file_moves.make_own_folder(folder))


def move_to_failed(
    inputs: Path, folder: Path, failure: Failure, *, subject: str, then: str, now: float
) -> dict[str, Any]:
    """Write the reason into `folder`, then move the inputs there; the content of error.json. May be repeated.

    `subject` names the job; `then` is what the user does after mending the cause.
    """
    durable_file_moves.make_own_folder(folder)
    names = {entry.name for entry in _entries(inputs)} | {entry.name for entry in _entries(folder)}
    several = failure.problems or [{"problem": failure.problem, "where": failure.where, "hint": failure.hint}]
    problems = [one | {"where": _found_now(one["where"], folder, names)} for one in several]
    report = error_report_of(failure, subject=subject, now=now) | {"where": problems[0]["where"], "problems": problems}
    atomic_write.write_json(folder / REPORT, report)
    return finish_move_to_failed(inputs, folder, report, then=then)


def error_report_of(failure: Failure, *, subject: str, now: float) -> dict[str, Any]:
    """The content of error.json, with places as they were when it failed."""
    several = failure.problems or [{"problem": failure.problem, "where": failure.where, "hint": failure.hint}]
    return {
        "job": subject,
        "time": clock.iso(now),
        "kind": failure.kind,
        "problem": failure.problem,
        "where": several[0]["where"],
        "hint": failure.hint,
        "problems": several,
    }


def finish_move_to_failed(inputs: Path, folder: Path, report: dict[str, Any], *, then: str) -> dict[str, Any]:
    """The rest of `move_to_failed`, once its reason is written: for one that was cut off there."""
    durable_file_moves.make_own_folder(folder)
    with atomic_write.writing(folder / PROSE) as stream:
        stream.write(error_text(report, then=then))
    _move_all(inputs, folder)
    return report


def error_report_in(folder: Path) -> dict[str, Any] | None:
    """The reason beside failed inputs; None where none was written, or none that can be read."""
    if folder.is_symlink() or folder.parent.is_symlink():
        return None
    try:
        report = json.loads(regular_file.read(folder / REPORT, most_bytes=REPORT_BYTES, links="refuse"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(report, dict) or not {"job", "time", "kind", "problem", "where", "hint"} <= report.keys():
        return None
    return {"problems": [{name: report[name] for name in ("problem", "where", "hint")}], **report}


def _found_now(where: Mapping[str, str | int], folder: Path, names: AbstractSet[str]) -> dict[str, str | int]:
    """`where` with the file's new place, if it is one of those that move into `folder`."""
    name = Path(str(where.get("file", ""))).name
    return {**where, "file": os.fspath(folder / name)} if name in names else dict(where)


def _entries(folder: Path) -> Iterable[Path]:
    """Visible entries only: a hidden one is a copy that was cut off."""
    return sorted(entry for entry in folder.iterdir() if entry.name[0] != ".") if folder.is_dir() else ()


def own_entries(folder: Path) -> list[Path]:
    """What lies in a `failed/<job>` that is no link, nor reached through one; nothing where there is none."""
    if folder.is_symlink() or folder.parent.is_symlink() or not folder.is_dir():
        return []
    return sorted(folder.iterdir())


def _move_all(inputs: Path, folder: Path) -> None:
    for entry in _entries(inputs):
        durable_file_moves.move(entry, folder / entry.name)
