"""Which provider would be asked about a version's rows: a process that asks it gets the variables of that one alone."""

from __future__ import annotations

import json
import os
from pathlib import Path

from pydantic import ValidationError

from freeal.errors import CorruptModelError, Where
from freeal.job.resolve_provider import resolve_annotators
from freeal.settings import LlmSettings
from freeal.spec.job_spec import Spec


def provider_of_version(version: Path, llm: LlmSettings, *, key_folder: Path) -> str:
    """By the version's spec and the settings. Raises `CorruptModelError` for the spec, `CredentialsError` where a key
    is missing, `ConfigError`."""
    path = version / "run.json"
    try:
        spec = Spec.model_validate(json.loads(path.read_text(encoding="utf-8"))["spec"])
    except (OSError, ValidationError, ValueError, KeyError, TypeError) as cause:
        raise CorruptModelError("is missing or damaged", where=Where(file=path)) from cause
    several = [spec.llm_settings(llm)]
    return resolve_annotators(several, api_key=None, environ=os.environ, key_folder=key_folder)[0]
