"""What a training job's process is told, and the key that says when two jobs would give the same result.

The process reads it as `freeal.job.TrainingJob`; that class is not imported here, because its module loads numpy.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from daemon.config import Settings
from daemon.jobs.job import Job
from daemon.jobs.workplace import Workplace
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


def training_request(job: Job, spec: Spec, settings: Settings, *, key_folder: Path, allowance_usd: float | None) -> str:
    """The TrainingJob as one line of JSON. `allowance_usd` caps what this run may still spend; None: no cap."""
    place = Workplace(settings, job.id)
    llm = settings.llm.model_copy(update={"budget_usd": allowance_usd})
    content = {
        "job_id": job.id,
        "csv": str(place.inputs / job.csv_name),
        "spec": spec.model_dump(mode="json"),
        "output": str(place.output),
        "work": str(place.rounds),
        "answers": str(settings.state / "answers.sqlite"),
        "cache": str(settings.state / "cache"),
        "key_folder": str(key_folder),
        "llm": llm.model_dump(mode="json"),
        "student": settings.student.model_dump(mode="json"),
        "loop": settings.loop.model_dump(mode="json"),
    }
    return json.dumps(content)


def allowance(
    job: Job, spec: Spec, settings: Settings, *, spent_today_usd: float, reserved_usd: float
) -> tuple[float | None, bool]:
    """(US dollars this run may spend, whether it is the day that sets the limit). None: no limit.

    What earlier runs of the same job spent counts against the job's cap; what running jobs may still spend counts
    against the day's.
    """
    job_cap = spec.llm_settings(settings.llm).budget_usd
    left_of_job = None if job_cap is None else max(0.0, job_cap - job.usd)
    daily = settings.llm.daily_budget_usd
    left_of_day = None if daily is None else max(0.0, daily - spent_today_usd - reserved_usd)
    limits = [limit for limit in (left_of_job, left_of_day) if limit is not None]
    limit = min(limits, default=None)
    by_day = left_of_day is not None and limit == left_of_day and left_of_day != left_of_job
    return limit, by_day
