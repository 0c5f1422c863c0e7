"""Jobs that go on from a version with what a person handed back: what they are of, and what their process is told.

The file says what is done (freeal/job/new_version/feedback_job.py): corrections and answers to boundary questions train
a new version, a filled blind sheet measures the one that is there. Answers alone ask the language model again.

Which version is corrected is decided when a run begins, not when the file is dropped: of two files, the second corrects
what the first led to. Jobs of one model run one after the other, so it stays the same until the job is over.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from daemon.config import Settings
from daemon.errors import RefusedFileError
from daemon.journal.job_ids import is_correction
from daemon.journal.job_record import Job
from daemon.outbox.model_shelf import Shelf
from freeal.errors import CorruptModelError, Where
from freeal.spec.job_spec import Spec
from freeal.table.file_formats import is_yaml


def corrected_version(job: Job, settings: Settings) -> Path:
    """The folder of the version that is corrected. Raises `RefusedFileError` where the model has none."""
    shelf = Shelf(settings.models, job.name)
    if shelf.current is None:
        hint = "train the model first, then drop the corrections again"
        raise RefusedFileError("this model has no finished version", where=Where(file=shelf.folder), hint=hint)
    return shelf.version(shelf.current)


def spec_of_corrected_version(job: Job, settings: Settings) -> Spec:
    """That version's spec. Raises `RefusedFileError`, `CorruptModelError`."""
    path = corrected_version(job, settings) / "run.json"
    try:
        return Spec.model_validate(json.loads(path.read_text(encoding="utf-8"))["spec"])
    except (OSError, ValidationError, ValueError, KeyError, TypeError) as cause:
        hint = "train the model again: drop its CSV and spec with `force: true`"
        raise CorruptModelError("is missing or damaged", where=Where(file=path), hint=hint) from cause


def asks(job: Job, settings: Settings) -> bool:
    """Whether a job may ask a language model anything."""
    return not is_correction(job.id) or is_yaml(job.csv_name) or settings.loop.ask_after_corrections


def correction_key(job: Job, key: str, settings: Settings) -> str:
    """The key of a correction, from that of a training with the same CSV and settings."""
    asked = settings.loop.iterations if asks(job, settings) else None
    return hashlib.sha256(json.dumps(["corrections", job.name, asked, key]).encode()).hexdigest()


def as_correction(content: dict[str, Any], job: Job, settings: Settings) -> dict[str, Any]:
    """The `CorrectionJob` that the `TrainingJob` of the same job stands for; both ready for JSON."""
    own = {name: value for name, value in content.items() if name not in {"spec", "previous_model"}}
    return own | {"version": str(corrected_version(job, settings))}
