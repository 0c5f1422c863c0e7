"""What a training job's process is told, and the key that says when two jobs would give the same result.

The process reads it as `freeal.job.TrainingJob`; that class is not imported here, because its module loads numpy.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from daemon.config import Settings
from daemon.jobs.job import Job
from daemon.jobs.workplace import Workplace
from daemon.outbox.shelf import Shelf
from freeal.spec import Spec

_LLM_THAT_MATTERS = {"model", "base_url", "calibration"}
"""How fast, how often tried and how dear a call may be changes no answer."""


def job_key(csv_sha256: str, spec: Spec, settings: Settings, *, provider: str) -> str:
    """SHA-256 of everything the result depends on: CSV bytes, spec, and the settings that change it.

    `provider` is what `llm.provider` means here and now: `auto` with a key is another job than `auto` without one.
    """
    parts = {
        "csv": csv_sha256,
        "spec": spec.digest(),
        "provider": provider,
        "llm": spec.llm_settings(settings.llm).model_dump(mode="json", include=_LLM_THAT_MATTERS),
        "student": spec.student_settings(settings.student).model_dump(mode="json", exclude={"device"}),
        "loop": spec.loop_settings(settings.loop).model_dump(mode="json"),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def training_request(job: Job, spec: Spec, settings: Settings, *, key_folder: Path, budget_usd: float | None) -> str:
    """The TrainingJob as one line of JSON. `budget_usd` caps the job with all its runs; None: no cap."""
    place = Workplace(settings, job.id)
    csv = place.inputs / job.csv_name
    content = job_content(job.id, spec, settings, csv=csv, folder=place.folder, key_folder=key_folder)
    content["llm"]["budget_usd"] = budget_usd
    return json.dumps(content)


def job_content(
    job_id: str, spec: Spec, settings: Settings, *, csv: Path, folder: Path, key_folder: Path
) -> dict[str, Any]:
    """The TrainingJob of a CSV whose work lies in `folder`, laid out as `Workplace` says, ready for JSON."""
    shelf = Shelf(settings.models, spec.name)
    return {
        "job_id": job_id,
        "csv": str(csv),
        "spec": spec.model_dump(mode="json"),
        "output": str(folder / "output"),
        "work": str(folder / "rounds"),
        "answers": str(settings.answers),
        "cache": str(settings.state / "cache"),
        "key_folder": str(key_folder),
        "previous_model": str(shelf.version(shelf.current) / "model") if shelf.current else None,
        "llm": settings.llm.model_dump(mode="json"),
        "student": settings.student.model_dump(mode="json"),
        "loop": settings.loop.model_dump(mode="json"),
    }
