"""Which language model answers, and what sends it batches: the one place of the library that chooses among them. Which
student learns, freeal/student/trainer_factory.py chooses."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from freeal.compute.device_turn import DeviceTurn, always
from freeal.errors import ConfigError, Where
from freeal.events import Emit, Notice, ignore
from freeal.job.resolve_provider import resolve_provider
from freeal.llm.batches.batch_journal import BatchBook
from freeal.llm.credentials import ApiKey
from freeal.llm.limits.rate_limiter import Limiter
from freeal.llm.limits.retry import Retry
from freeal.llm.protocols import BatchSender, ChatModel
from freeal.llm.store.answer_store import AnswerStore
from freeal.money import current_models
from freeal.money.budget_ledger import Ledger
from freeal.settings import LlmSettings, RaySettings

_CANCEL_TRIES = 3


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
    if settings.model is not None and provider == "anthropic" and (remark := current_models.remark(settings.model)):
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


@contextlib.contextmanager
def open_batches(
    model: ChatModel,
    settings: LlmSettings,
    *,
    record: Path,
    job: str,
    store: AnswerStore,
    ledger: Ledger,
    emit: Emit,
) -> Iterator[BatchSender | None]:
    """What sends many prompts at once for `job`, None for a model without batches. `record` is the file they share.

    With `llm.mode: live` nothing new goes into a batch, but what is under way is paid for and is waited for.
    """
    if model.provider != "anthropic":
        yield None
        return
    from freeal.llm.batches.anthropic_batches import AnthropicBatches
    from freeal.llm.batches.batch_tracking import Track
    from freeal.llm.batches.send_in_batches import BatchSender as Sender
    from freeal.llm.batches.send_in_batches import Rules
    from freeal.llm.providers.anthropic import AnthropicModel

    from_rows = {"live": None, "auto": settings.batch_from_rows, "batch": 1}[settings.mode]
    rules = Rules(from_rows=from_rows, may_go_live=settings.mode != "batch")
    if not isinstance(model, AnthropicModel):
        raise TypeError(f"{type(model).__name__} says that it is Anthropic's")
    service = AnthropicBatches(model)
    retry = Retry(settings.max_attempts)
    with contextlib.closing(BatchBook(record)) as book:
        track = Track(service, book=book, store=store, retry=retry, emit=emit, job=job)
        yield Sender(service, track, store=store, ledger=ledger, retry=retry, emit=emit, rules=rules)


async def cancel_batches(
    settings: LlmSettings, *, record: Path, job: str, key_folder: Path, environ: Mapping[str, str]
) -> list[str]:
    """Cancel every batch of `job`; for each that may go on and cost money, a sentence that says why.

    Raises `CredentialsError` without a key.
    """
    from freeal.llm.batches.anthropic_batches import AnthropicBatches
    from freeal.llm.batches.batch_cancellation import cancel
    from freeal.llm.providers.anthropic import AnthropicModel

    anthropic_settings = settings.model_copy(update={"provider": "anthropic"})
    model = await open_chat_model(
        anthropic_settings,
        cache=record.parent,
        key_folder=key_folder,
        device="cpu",
        emit=ignore,
        api_key=None,
        environ=environ,
    )
    async with contextlib.aclosing(model):
        if not isinstance(model, AnthropicModel):
            return []
        with contextlib.closing(BatchBook(record)) as book:
            return await cancel(AnthropicBatches(model), Retry(_CANCEL_TRIES), book, job=job)
