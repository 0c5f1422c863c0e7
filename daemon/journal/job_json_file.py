"""job.json beside a version's results: what the journal knew of its job, so that a lost journal can be built anew."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from daemon.journal.job_record import Job, State
from freeal.files import atomic_write

FILE_NAME = "job.json"
FORMAT = 1

_KEPT = (
    *("id", "name", "key", "csv_name", "spec_name", "csv_sha256"),
    *("round", "usd", "calls", "attempts", "partial", "past_pilot"),
)
_TIMES = ("created_at", "updated_at")


def write_job_json(folder: Path, job: Job) -> None:
    """Put the record into the folder of a finished run."""
    content = {name: getattr(job, name) for name in (*_KEPT, *_TIMES)}
    atomic_write.write_json(folder / FILE_NAME, {"format": FORMAT, **content})


def read_job_json(folder: Path) -> Job | None:
    """The job whose results lie in `folder`, as done; None where no record of this format stands there."""
    try:
        content: dict[str, Any] = json.loads((folder / FILE_NAME).read_text(encoding="utf-8"))
        if content.pop("format") != FORMAT:
            return None
        known = {field.name for field in dataclasses.fields(Job)}
        return Job(**{name: value for name, value in content.items() if name in known}, state=State.DONE)
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError, AttributeError):
        return None
