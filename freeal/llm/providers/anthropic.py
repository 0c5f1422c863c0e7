"""Claude through the Messages API: structured output, a cached prefix, no retries of the client's own.

Imported only where this provider is chosen: the client takes a second to load.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import Any

import anthropic
import httpx2
from anthropic.types import Message

from freeal.errors import AccountError, LlmError, TransientError
from freeal.llm.answer_schema import answer_schema
from freeal.llm.credentials import ApiKey
from freeal.llm.limits.rate_limiter import Limiter
from freeal.llm.limits.retry import Retry
from freeal.llm.provider_errors import error_for_answer, error_for_connection, shortened
from freeal.llm.providers.remote_model import RemoteModel
from freeal.money.current_models import nearest_current
from freeal.money.prices import output_ceiling
from freeal.types import Prompt, Reply, Usage

DEFAULT_MODEL = "claude-haiku-5-5"
BASE_URL = "https://api.anthropic.com"

_REQUEST_FORM = 1  # part of every answer's key: raise it when request_body changes what a model sees


class AnthropicModel(RemoteModel):
    """A Claude model as a `ChatModel`."""

    cached_input_counts = False
    features: Mapping[str, re.Pattern[str]] = {
        "effort": re.compile(r"\beffort\b", re.IGNORECASE),
        "thinking": re.compile(r"\bthinking\b", re.IGNORECASE),
        "format": re.compile(r"output_config\.format|output_format|json_schema|structured output", re.IGNORECASE),
        "cache": re.compile(r"cache_control", re.IGNORECASE),
    }

    def __init__(
        self,
        key: ApiKey,
        *,
        retry: Retry,
        model: str | None = None,
        base_url: str | None = None,
        concurrency: int = 8,
        timeout_seconds: float = 60.0,
        limiter: Limiter | None = None,
    ) -> None:
        super().__init__(
            model or DEFAULT_MODEL,
            concurrency=concurrency,
            timeout_seconds=timeout_seconds,
            retry=retry,
            limiter=limiter,
        )
        self._client = anthropic.AsyncAnthropic(
            api_key=key.reveal(),
            base_url=base_url or BASE_URL,
            timeout=anthropic.Timeout(timeout_seconds, connect=self._connect_seconds),
            max_retries=0,
        )

    @property
    def provider(self) -> str:
        """`anthropic`."""
        return "anthropic"

    @property
    def fingerprint(self) -> str:
        """Provider, model and the form of the request; not the address, which changes no answer."""
        return json.dumps(["anthropic", self._model, _REQUEST_FORM])

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()

    @property
    def client(self) -> anthropic.AsyncAnthropic:
        """The open client, for what else the same key may do."""
        return self._client

    def body(self, prompt: Prompt) -> dict[str, Any]:
        """The request for a prompt, less what this model has refused so far."""
        return request_body(prompt, model=self._model, without=frozenset(self._refused_features))

    def leave_out(self, problem: str) -> bool:
        """Leave out from now on what a refusal speaks of; whether it spoke of anything that is optional."""
        named = self.features_named(problem)
        self._refused_features |= named
        return bool(named)

    async def _send(self, prompt: Prompt, without: frozenset[str]) -> Reply:
        body = request_body(prompt, model=self._model, without=without)
        try:
            answer = await self._client.messages.with_raw_response.create(**body)
            self.heard(answer.headers)
            message = await answer.parse()
        except (anthropic.AnthropicError, ValueError) as cause:
            if isinstance(cause, anthropic.APIStatusError):
                self.heard(cause.response.headers)
            raise self._named(translated(cause, now=time.time())) from cause
        if not isinstance(message, Message) or not isinstance(message.content, list):
            raise TransientError("the answer of the Messages API cannot be read", trouble="lost_reply")
        return reply_of(message)

    def _named(self, error: LlmError) -> LlmError:
        """Who is told that there is no such model also learns which there are."""
        if isinstance(error, AccountError) and "answered 404" in error.problem and error.hint:
            error.hint += f"; models of today: {', '.join(nearest_current(self._model))}"
        return error


def request_body(prompt: Prompt, *, model: str, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The Messages API request for one prompt, live or in a batch; `without` names optional features to leave out.

    The shared part stands in a block of its own that ends the cacheable prefix. It goes into the user's turn: it holds
    rows, and rows never speak with the system prompt's voice.
    """
    shared: dict[str, Any] = {"type": "text", "text": prompt.shared}
    if "cache" not in without:
        shared["cache_control"] = {"type": "ephemeral"}
    body: dict[str, Any] = {
        "model": model,
        "max_tokens": output_ceiling(prompt),
        "system": [{"type": "text", "text": prompt.system}],
        "messages": [{"role": "user", "content": [shared, {"type": "text", "text": prompt.specific}]}],
    }
    output_config: dict[str, Any] = {}
    if "format" not in without:
        schema = answer_schema(prompt.labels, open_labels=prompt.open_labels)
        output_config["format"] = {"type": "json_schema", "schema": schema}
    if "effort" not in without:
        output_config["effort"] = "low"
    if output_config:
        body["output_config"] = output_config
    # Haiku 5.5 thinks unless told not to, which a label is not worth; the larger models refuse to be told.
    if "haiku" in model and "thinking" not in without:
        body["thinking"] = {"type": "disabled"}
    return body


def reply_of(message: Message) -> Reply:
    """A finished message as a `Reply`; only its text blocks count."""
    text = "".join(block.text for block in message.content if block.type == "text" and isinstance(block.text, str))
    used = message.usage
    read = used.cache_read_input_tokens or 0
    written = used.cache_creation_input_tokens or 0
    return Reply(
        text=text,
        stop_reason=message.stop_reason or "end_turn",
        usage=Usage(
            calls=1,
            input_tokens=used.input_tokens + read + written,
            cached_tokens=read,
            output_tokens=used.output_tokens,
            cache_write_tokens=written,
        ),
    )


def translated(error: Exception, *, now: float) -> LlmError:
    """Any exception of the client as ours; `now` is the Unix time, for a `retry-after` that is a date."""
    if isinstance(error, anthropic.APIStatusError):
        codes = frozenset(code for code in (error.type, error.error_code) if code)
        return error_for_answer(
            error.status_code,
            error.api_message or error.message,
            codes=codes,
            headers=error.response.headers,
            now=now,
            silence_is_spend_cap=True,
        )
    if isinstance(error, anthropic.APIConnectionError | httpx2.HTTPError):  # the latter while a body is streamed
        return error_for_connection(error.__cause__ or error, server="the Messages API")
    if isinstance(error, anthropic.APIResponseValidationError | anthropic.RetryableError | ValueError):
        problem = f"the answer of the Messages API cannot be read: {shortened(str(error))}"
        return TransientError(problem, trouble="lost_reply")
    return AccountError(f"the Anthropic client refused the call: {shortened(str(error))}")
