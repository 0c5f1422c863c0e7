"""What `llm.provider: auto` means here and now, and the key that goes with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from freeal.errors import ConfigError, CredentialsError, Where
from freeal.llm import credentials
from freeal.settings import LlmSettings

NO_KEY_HINT = "put it into ANTHROPIC_API_KEY, into the file ANTHROPIC_API_KEY_FILE names, or use llm.provider: local"


def resolve_provider(
    settings: LlmSettings, *, api_key: str | None, environ: Mapping[str, str], key_folder: Path
) -> tuple[str, credentials.ApiKey | None]:
    """What `auto` means here, and the key that goes with it.

    Raises `CredentialsError` when a needed key is missing and `ConfigError` for batches of a provider without them.
    """
    provider, key = _provider_and_key(settings, api_key=api_key, environ=environ, key_folder=key_folder)
    if settings.mode == "batch" and provider != "anthropic":
        raise ConfigError(
            f"batch needs the batch service of Anthropic; the provider here is {provider}",
            where=Where(key="llm.mode"),
            hint="set llm.mode to auto or live, or llm.provider to anthropic",
        )
    return provider, key


def _provider_and_key(
    settings: LlmSettings, *, api_key: str | None, environ: Mapping[str, str], key_folder: Path
) -> tuple[str, credentials.ApiKey | None]:
    if settings.provider == "local":
        return "local", None
    if settings.provider == "openai":
        return "openai", credentials.find_openai_key(api_key, environ=environ)
    key = credentials.find_anthropic_key(api_key, environ=environ, folder=key_folder)
    if key is not None:
        return "anthropic", key
    if settings.provider == "auto":
        return "local", None
    raise CredentialsError("no Anthropic key found", hint=NO_KEY_HINT)


def resolve_providers(
    several: Sequence[LlmSettings], *, api_key: str | None, environ: Mapping[str, str], key_folder: Path
) -> tuple[str, ...]:
    """The provider of each of a job's language models, in their order. Raises as `resolve_provider`, and `ConfigError`
    where they are of two providers over a network: a job has one key and one set of limits."""
    return _providers_of_one_network(
        [resolve_provider(one, api_key=api_key, environ=environ, key_folder=key_folder)[0] for one in several]
    )


def foreseen_providers(
    several: Sequence[LlmSettings], *, environ: Mapping[str, str], key_folder: Path
) -> tuple[str, ...]:
    """As `resolve_providers`, for who only wants to know: a key that is missing is no error."""
    return _providers_of_one_network(
        [
            resolve_provider(one, api_key=None, environ=environ, key_folder=key_folder)[0]
            if one.provider == "auto"
            else one.provider
            for one in several
        ]
    )


def _providers_of_one_network(providers: Sequence[str]) -> tuple[str, ...]:
    if len(networks := sorted({*providers} - {"local"})) > 1:
        raise ConfigError(
            f"names language models of {' and '.join(networks)}; those of one job are of one provider, or local",
            where=Where(key="llm"),
            hint="an OpenAI-compatible gateway serves models of many makers under one address (llm.base_url)",
        )
    return tuple(providers)


def network_provider(providers: Sequence[str]) -> str:
    """The one of them that is no model in this machine's memory, else `local`."""
    return next((one for one in providers if one != "local"), "local")
