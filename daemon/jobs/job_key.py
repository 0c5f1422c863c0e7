"""The key that says when two jobs would give the same result."""

from __future__ import annotations

import hashlib
import json

from daemon.config import Settings
from daemon.jobs.correction_request import correction_key
from daemon.journal.job_ids import is_correction
from daemon.journal.job_record import Job
from daemon.outbox.model_shelf import Shelf
from freeal.corrections import corrections_file
from freeal.settings import LlmSettings
from freeal.spec.job_spec import Spec
from freeal.spec.model_name import plain_name

_LLM_THAT_MATTERS = {"model", "base_url", "calibration"}
"""How fast, how often tried and how dear a call may be changes no answer."""


_WHERE_A_STUDENT_TRAINS = {"device", "engine", "ray_from_texts"}
"""That changes how numbers are rounded and drawn, not what is done."""

_ABOUT_CORRECTIONS = {"keep_corrections", "ask_after_corrections"}
"""What was said is in a key itself, and whether corrections ask matters to those only."""


def key_of(job: Job, spec: Spec, settings: Settings, *, provider: str) -> str:
    """The key of a job of either kind. Raises `OSError`."""
    said = "" if is_correction(job.id) else _digest_of_corrections(spec.name, settings)
    key = job_key(job.csv_sha256, spec, settings, provider=provider, csv_name=job.csv_name, said=said)
    return correction_key(job, key, settings) if is_correction(job.id) else key


def _digest_of_corrections(name: str, settings: Settings) -> str:
    """A digest of everything a person said about a model that holds when it is trained anew; empty where that is
    nothing. Raises `OSError`."""
    shelf = Shelf(settings.models, name)
    if not settings.loop.keep_corrections or shelf.current is None:
        return ""
    return corrections_file.digest_of_corrections(shelf.version(shelf.current))


def job_key(csv_sha256: str, spec: Spec, settings: Settings, *, provider: str, csv_name: str, said: str = "") -> str:
    """SHA-256 of everything the result depends on: CSV bytes, spec, and the settings that change it.

    `provider` is what `llm.provider` means here and now: `auto` with a key is another job than `auto` without one. A
    model that is merely called after its file (`csv_name`) is no other model when the file has another name. `said`
    stands for what a person said about earlier versions.
    """
    if spec.name == plain_name(csv_name):
        spec = spec.model_copy(update={"name": ""})
    llm = spec.llm_settings(settings.llm)
    # came with a later version: jobs from before keep their key
    matters = _LLM_THAT_MATTERS | ({"form"} if llm.form != LlmSettings().form else set())
    parts = {
        "csv": csv_sha256,
        "spec": spec.digest(),
        "provider": provider,
        "llm": llm.model_dump(mode="json", include=matters),
        "student": spec.student_settings(settings.student).model_dump(mode="json", exclude=_WHERE_A_STUDENT_TRAINS),
        "loop": spec.loop_settings(settings.loop).model_dump(mode="json", exclude=_ABOUT_CORRECTIONS),
    } | ({"said": said} if said else {})
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
