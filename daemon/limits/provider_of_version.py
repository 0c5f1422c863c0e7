"""Which provider would be asked about a version's rows: a process that asks it gets the variables of that one alone."""

from __future__ import annotations

import os
from pathlib import Path

from freeal.job.resolve_provider import resolve_providers
from freeal.results.llm_of_version import llm_settings_as_annotated
from freeal.results.run_json_file import read_spec_of_version
from freeal.settings import LlmSettings


def provider_of_version(version: Path, llm: LlmSettings, *, key_folder: Path) -> str:
    """By the version's spec and the settings, or who annotated it. Raises `CorruptModelError` for the version,
    `CredentialsError` where a key is missing, `ConfigError`."""
    several = [llm_settings_as_annotated(read_spec_of_version(version).llm_settings(llm), version)]
    return resolve_providers(several, api_key=None, environ=os.environ, key_folder=key_folder)[0]
