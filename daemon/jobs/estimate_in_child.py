"""What a job would ask, cost and take: found out by a process of its own, for `--dry-run` and the live page."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from daemon.config import Loaded
from daemon.errors import ChildError
from daemon.jobs.training_request import job_content
from daemon.processes.ask_child_once import ask_once
from daemon.processes.message_protocol import Failure, Result
from freeal.job.resolve_provider import resolve_providers
from freeal.spec.job_spec import Spec

ESTIMATE = "daemon.processes.entry_points.estimate_job"


async def estimate_in_child(
    loaded: Loaded, spec: Spec, *, csv: Path, folder: Path, environment: Mapping[str, str] = os.environ
) -> dict[str, Any]:
    """What a job of this CSV would ask, cost and take: `figures`, pairs of what and how much, `first_prompt`, and all
    of it as numbers in `estimate` (freeal/cost_estimate/estimate_figures.py).

    `folder` is where its work would lie; nothing is written. Raises `FreealError` for what would make the job fail.
    """
    several = spec.annotators(loaded.settings.llm)
    providers = resolve_providers(several, api_key=None, environ=environment, key_folder=loaded.base)
    job = job_content(spec.name, spec, loaded.settings, csv=csv, folder=folder, key_folder=loaded.base)
    answer = await ask_once(ESTIMATE, json.dumps({"providers": providers, "job": job}))
    if isinstance(answer, Result):
        return answer.content
    raise answer.as_error() if isinstance(answer, Failure) else ChildError("ended without an answer")
