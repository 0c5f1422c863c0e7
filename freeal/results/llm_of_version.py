"""Which language model annotated a version: what asks about it again asks that one, where the settings name no other.

`llm.provider: auto` goes by where a key is found: here and now that may be another one than it was then. Light: the
service reads it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from freeal.errors import ConfigError, Where
from freeal.results import metrics_as_text
from freeal.results.run_json_file import read_run_json
from freeal.settings import LlmSettings

_OVER_A_NETWORK = ("anthropic", "openai")


def llm_settings_as_annotated(settings: LlmSettings, version: Path) -> LlmSettings:
    """`settings` with provider and model of the language model that annotated `version`, unless they name another one.

    An address is never taken from a model's folder, which may be a stranger's: keys and texts would go there. Raises
    `ConfigError` where one was used and none is named, and `CorruptModelError`.
    """
    told = metrics_as_text.read_metrics(version)["llm"]
    if told["provider"] not in _OVER_A_NETWORK or settings.provider not in {"auto", told["provider"]}:
        return settings
    as_annotated = settings.model_copy(update={"provider": told["provider"], "model": settings.model or told["model"]})
    if as_annotated.provider != "openai" or as_annotated.base_urls:
        return as_annotated
    if addresses := _recorded_addresses(read_run_json(version)):
        by = f"{llm_of_version_in_words(version)} annotated this version, at {', '.join(addresses)}"
        raise ConfigError(
            f"{by}; no address is taken from a model's folder",
            where=Where(key="llm.base_url"),
            hint="name it here (on the command line: --llm-url), or another language model with llm.provider",
        )
    return as_annotated


def llm_of_version_in_words(version: Path) -> str:
    """`provider/model` of the language model that annotated `version`. Raises `CorruptModelError`."""
    told = metrics_as_text.read_metrics(version)["llm"]
    return f"{told['provider']}/{told['model']}"


def _recorded_addresses(run: dict[str, Any]) -> list[str]:
    """Where the servers were, by the settings in run.json; empty for the provider's own address."""
    told = run.get("settings", {}).get("llm", {}).get("base_url") or []
    return [told] if isinstance(told, str) else told
