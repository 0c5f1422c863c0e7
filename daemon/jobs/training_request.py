"""What a training job's process is told.

The process reads it as `TrainingJob` or `CorrectionJob` of the library; these are not imported here, because their
modules load numpy.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from daemon.config import Settings
from daemon.jobs.correction_request import as_correction
from daemon.jobs.failure_policy import Setback
from daemon.journal.job_ids import is_correction
from daemon.journal.job_record import Job
from daemon.journal.work_folder import Workplace
from daemon.outbox.model_shelf import Shelf
from freeal.spec.job_spec import Spec


def training_request(job: Job, spec: Spec, settings: Settings, *, key_folder: Path, budget_usd: float | None) -> str:
    """The TrainingJob or CorrectionJob as one line of JSON. `budget_usd` caps it with all its runs; None: no cap."""
    place = Workplace(settings, job.id)
    csv = place.inputs / job.csv_name
    content = job_content(job.id, spec, settings, csv=csv, folder=place.folder, key_folder=key_folder)
    content["llm"]["budget_usd"] = budget_usd
    if spec.pilot is not None and not is_correction(job.id):
        pilot = Shelf(settings.models, job.name).pilot(job.id)
        content["pilot_rows"] = None if job.past_pilot else spec.pilot
        content["pilot"] = str(pilot) if job.past_pilot and pilot.is_dir() else None
    if Setback.MEMORY in job.setbacks.split():
        content["most_at_once"] = max(1, spec.student_settings(settings.student).batch_size // 2)
    return json.dumps(as_correction(content, job, settings) if is_correction(job.id) else content)


def _page_in_request(model: str, settings: Settings) -> str | None:
    """The `page` of a training request: where its model is on the live page, as seen from this machine; None without a
    page, or a port known beforehand."""
    web = settings.web
    if not web.enabled or not web.port:
        return None
    host = "localhost" if web.host in {"0.0.0.0", "::"} else f"[{web.host}]" if ":" in web.host else web.host  # noqa: S104
    return f"http://{host}:{web.port}/models/{model}"


def job_content(
    job_id: str, spec: Spec, settings: Settings, *, csv: Path, folder: Path, key_folder: Path
) -> dict[str, Any]:
    """The TrainingJob of a CSV whose work lies in `folder`, laid out as `Workplace` says, ready for JSON."""
    shelf = Shelf(settings.models, spec.name)
    return {
        "job_id": job_id,
        "billed_to": spec.name,
        "csv": str(csv),
        "spec": spec.model_dump(mode="json"),
        "output": str(folder / "output"),
        "work": str(folder / "rounds"),
        "answers": str(settings.answers),
        "cache": str(settings.state / "cache"),
        "key_folder": str(key_folder),
        "page": _page_in_request(spec.name, settings),
        "previous_model": str(shelf.version(shelf.current) / "model") if shelf.current else None,
        "llm": settings.llm.model_dump(mode="json"),
        "student": settings.student.model_dump(mode="json"),
        "loop": settings.loop.model_dump(mode="json"),
        "ray": settings.ray.model_dump(mode="json"),
    }
