"""Which language model answers: the one place of the library that chooses among them. Which student learns,
freeal/student/trainer_factory.py chooses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from freeal.compute.device_turn import DeviceTurn, always
from freeal.errors import ConfigError, Where
from freeal.events import Emit, Notice
from freeal.job.resolve_provider import resolve_provider
from freeal.llm.credentials import ApiKey
from freeal.llm.limits.rate_limiter import Limiter
from freeal.llm.limits.retry import Retry
from freeal.llm.protocols import ChatModel
from freeal.money import current_models
from freeal.settings import LlmSettings, RaySettings


async def open_chat_model(
    settings: LlmSettings,
    *,
    cache: Path,
    key_folder: Path,
    device: str,
    emit: Emit,
    api_key: str | None,
    environ: Mapping[str, str],
    limiter: Limiter | None = None,
    turn: DeviceTurn = always,
    ray: RaySettings | None = None,
    texts: int = 0,
) -> ChatModel:
    """The language model the settings ask for, ready to answer.

    `limiter` default: one that keeps to the settings; a local model computes in its `turn`, or over the cluster `ray`
    where the settings want that for so many `texts`.

    Raises `CredentialsError` when a needed key is missing and `ConfigError` when the model cannot be had.
    """
    provider, key = resolve_provider(settings, api_key=api_key, environ=environ, key_folder=key_folder)

    def notice(message: str) -> None:
        emit(Notice(message))

    if provider == "local":
        if settings.provider == "auto":
            emit(Notice("no Anthropic key found: a small language model in this machine's memory annotates instead"))
        from freeal.llm.local.open_local_model import open_local_model

        return await open_local_model(settings, ray, texts=texts, cache=cache, device=device, turn=turn, notice=notice)
    if (
        settings.model is not None
        and provider == "anthropic"
        and (remark := current_models.remark_on_old_model(settings.model))
    ):
        emit(Notice(remark))
    return _remote_model(
        settings, provider, key, limiter=limiter or Limiter.of(settings), environ=environ, notice=notice
    )


def _remote_model(
    settings: LlmSettings,
    provider: str,
    key: ApiKey | None,
    *,
    limiter: Limiter,
    environ: Mapping[str, str],
    notice: Callable[[str], None],
) -> ChatModel:
    if provider == "anthropic" and key is not None:
        from freeal.llm.providers.anthropic import AnthropicModel

        if len(settings.base_urls) > 1:
            raise ConfigError(
                "several servers are for llm.provider: openai",
                where=Where(key="llm.base_url"),
                hint="name one, or set llm.provider to openai",
            )
        return AnthropicModel(
            key,
            retry=Retry(settings.max_attempts, gate=limiter.gate),
            limiter=limiter,
            model=settings.model,
            base_url=next(iter(settings.base_urls), None),
            concurrency=settings.concurrency,
            timeout_seconds=settings.timeout_seconds,
            environ=environ,
            on_notice=notice,
        )
    if not settings.base_urls or settings.model is None:
        raise ConfigError("llm.provider: openai needs llm.base_url and llm.model")
    from freeal.llm.providers.openai import OpenAIModel
    from freeal.llm.providers.server_pool import ServerPool

    limiters = [limiter, *(limiter.for_another_server(settings) for _ in settings.base_urls[1:])]
    servers = [
        OpenAIModel(
            settings.model,
            retry=Retry(settings.max_attempts, gate=own.gate),
            limiter=own,
            base_url=url,
            key=key,
            concurrency=settings.concurrency,
            timeout_seconds=settings.timeout_seconds,
            environ=environ,
            on_notice=notice,
        )
        for url, own in zip(settings.base_urls, limiters, strict=True)
    ]
    if len(servers) == 1:
        return servers[0]
    return ServerPool(list(zip(servers, limiters, settings.base_urls, strict=True)), on_notice=notice)
