"""Any OpenAI-compatible server (vLLM, Ollama, llama.cpp, OpenAI): chat completions over httpx."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from freeal.errors import LlmError, TransientError
from freeal.llm.answer_schema import answer_schema
from freeal.llm.credentials import ApiKey
from freeal.llm.limits.rate_limiter import Limiter
from freeal.llm.limits.retry import Retry
from freeal.llm.provider_errors import error_for_answer, error_for_connection
from freeal.llm.providers.label_logprobs import MOST_ALTERNATIVES, label_probability
from freeal.llm.providers.remote_model import RemoteModel
from freeal.money.prices import output_ceiling
from freeal.types import Prompt, Reply, Usage

BASE_URL = "https://api.openai.com/v1"

_REQUEST_FORM = 1  # part of every answer's key: raise it when request_body changes what a model sees
_STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}


class OpenAIModel(RemoteModel):
    """A model behind `base_url` (which ends in `/v1` for most servers) as a `ChatModel`. The key is optional."""

    features: Mapping[str, re.Pattern[str]] = {
        "json_schema": re.compile(r"response_format|json_schema|structured output|guided", re.IGNORECASE),
        "logprobs": re.compile(r"logprobs", re.IGNORECASE),
        "max_tokens": re.compile(r"max_tokens.{0,80}max_completion_tokens", re.IGNORECASE | re.DOTALL),
    }

    def __init__(
        self,
        model: str,
        *,
        retry: Retry,
        key: ApiKey | None = None,
        base_url: str | None = None,
        concurrency: int = 8,
        timeout_seconds: float = 60.0,
        limiter: Limiter | None = None,
    ) -> None:
        super().__init__(model, concurrency=concurrency, timeout_seconds=timeout_seconds, retry=retry, limiter=limiter)
        self._url = f"{(base_url or BASE_URL).rstrip('/')}/chat/completions"
        self._client = httpx.AsyncClient(
            headers={"authorization": f"Bearer {key.reveal()}"} if key is not None else {},
            timeout=httpx.Timeout(timeout_seconds, connect=self._connect_seconds),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=concurrency),
        )

    @property
    def provider(self) -> str:
        """`openai`."""
        return "openai"

    @property
    def fingerprint(self) -> str:
        """Provider, address, model and the form of the request: the same name is another model on another server."""
        return json.dumps(["openai", self._url, self._model, _REQUEST_FORM])

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _send(self, prompt: Prompt, without: frozenset[str]) -> Reply:
        try:
            response = await self._client.post(self._url, json=request_body(prompt, model=self._model, without=without))
        except (httpx.HTTPError, httpx.InvalidURL, httpx.CookieConflict, httpx.StreamError) as cause:
            raise error_for_connection(cause) from cause
        self.heard(response.headers)
        if not response.is_success:
            raise _error_of(response)
        try:
            return _reply_of(response.json(), prompt.labels)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as cause:
            raise TransientError(
                f"the language model server's answer cannot be read: {type(cause).__name__}", trouble="lost_reply"
            ) from cause


def request_body(prompt: Prompt, *, model: str, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The chat completion request for one prompt; `without` names optional features to leave out."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [
            {"role": "system", "content": prompt.system},
            {"role": "user", "content": prompt.shared + prompt.specific},
        ],
        "max_completion_tokens" if "max_tokens" in without else "max_tokens": output_ceiling(prompt),
    }
    if "json_schema" not in without:
        schema = {
            "name": "answer",
            "strict": True,
            "schema": answer_schema(prompt.labels, open_labels=prompt.open_labels),
        }
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    if prompt.labels and "logprobs" not in without:
        body |= {"logprobs": True, "top_logprobs": MOST_ALTERNATIVES}
    return body


def _reply_of(body: dict[str, Any], labels: Sequence[str]) -> Reply:
    choice = body["choices"][0]
    message = choice["message"]
    used = body.get("usage") or {}
    details = used.get("prompt_tokens_details") or {}
    finish = choice.get("finish_reason") or "stop"
    return Reply(
        text=str(message.get("content") or ""),
        stop_reason="refusal" if message.get("refusal") else _STOP_REASONS.get(finish, str(finish)),
        usage=Usage(
            calls=1,
            input_tokens=int(used.get("prompt_tokens") or 0),
            cached_tokens=int(details.get("cached_tokens") or 0),
            output_tokens=int(used.get("completion_tokens") or 0),
        ),
        label_probability=label_probability(choice, labels),
    )


def _error_of(response: httpx.Response) -> LlmError:
    message, codes = response.text, frozenset[str]()
    try:
        found = response.json()["error"]
        message = str(found["message"]) if isinstance(found, dict) else str(found)
        codes = frozenset(str(found[name]) for name in ("type", "code") if isinstance(found, dict) and found.get(name))
    except (ValueError, KeyError, TypeError):
        codes = frozenset()  # a proxy's page: its text is the message
    return error_for_answer(response.status_code, message, codes=codes, headers=response.headers, now=time.time())
