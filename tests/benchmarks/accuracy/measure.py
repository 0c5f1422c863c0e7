"""One cell measured: which kind of method runs what, and what is written down of it."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
import time
from pathlib import Path

import cases
import run_loop
import run_once
from cells import Cell
from methods import METHODS
from place import Folders
from results import Record

_KINDS = {
    "loop": run_loop.loop,
    "ask": run_once.ask,
    "annotated": run_once.annotated,
    "supervised": run_once.supervised,
}


def measure(cell: Cell, folders: Folders) -> Record:
    """Run the cell and return its record, without origin. All it leaves is what `freeal` hands over to `plain`."""
    method = METHODS[cell.method]
    for folder in (folders.record, folders.cache):
        folder.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".work-", dir=folders.record))
    try:
        case = cases.prepare(cell, data_folder=folders.data, work=work)
        started = time.monotonic()
        measured = {"rounds": [], "calls": 0, "from_store": 0} | _KINDS[method.kind](cell, case, folders)
        seconds = time.monotonic() - started
    finally:
        shutil.rmtree(work)
    return {
        "cell": dataclasses.asdict(cell),
        "overrides": method.overrides,
        "status": "done",
        "seconds": round(seconds, 1),
        **measured,
    }
