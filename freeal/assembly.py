"""Which language model answers and which student learns: the one place of the library that chooses implementations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from freeal.errors import ConfigError, CredentialsError
from freeal.events import Emit, Notice
from freeal.llm import credentials
from freeal.llm.base import ChatModel
from freeal.llm.retry import Retry
from freeal.settings import LlmSettings, StudentSettings
from freeal.student.base import Trainer

NO_KEY_HINT = "put it into ANTHROPIC_API_KEY, into the file ANTHROPIC_API_KEY_FILE names, or use llm.provider: local"


def resolve_provider(
    settings: LlmSettings, *, api_key: str | None, environ: Mapping[str, str], key_folder: Path
) -> tuple[str, credentials.ApiKey | None]:
    """What `auto` means here, and the key that goes with it. Raises `CredentialsError` when a needed key is missing."""
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


async def open_chat_model(
    settings: LlmSettings,
    *,
    cache: Path,
    key_folder: Path,
    device: str,
    emit: Emit,
    api_key: str | None,
    environ: Mapping[str, str],
) -> ChatModel:
    """The language model the settings ask for, ready to answer.

    Raises `CredentialsError` when a needed key is missing and `ConfigError` when the model cannot be had.
    """
    provider, key = resolve_provider(settings, api_key=api_key, environ=environ, key_folder=key_folder)
    if provider == "local":
        if settings.provider == "auto":
            emit(Notice("no Anthropic key found: a small language model in this machine's memory annotates instead"))
        from freeal.llm.local import LocalModel

        return await LocalModel.load(settings.model, cache=cache, device=device)
    retry = Retry(settings.max_attempts)
    if provider == "anthropic" and key is not None:
        from freeal.llm.anthropic import AnthropicModel

        return AnthropicModel(
            key,
            retry=retry,
            model=settings.model,
            base_url=settings.base_url,
            concurrency=settings.concurrency,
            timeout_seconds=settings.timeout_seconds,
        )
    if settings.base_url is None or settings.model is None:
        raise ConfigError("llm.provider: openai needs llm.base_url and llm.model")
    from freeal.llm.openai import OpenAIModel

    return OpenAIModel(
        settings.model,
        retry=retry,
        base_url=settings.base_url,
        key=key,
        concurrency=settings.concurrency,
        timeout_seconds=settings.timeout_seconds,
    )


def open_trainer(settings: StudentSettings, *, texts: int) -> Trainer:
    """The trainer for a pool of `texts` distinct texts. Raises `ConfigError` when its encoder cannot be had."""
    from freeal.student.factory import make_trainer

    return make_trainer(settings, texts=texts)
