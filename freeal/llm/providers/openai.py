"""Any OpenAI-compatible server (vLLM, Ollama, llama.cpp, OpenAI): chat completions over httpx."""

from __future__ import annotations

import json
import os
import time
import urllib.parse
from collections.abc import Mapping
from typing import Any

import httpx

from freeal.llm.answer_schema import answer_schema
from freeal.llm.credentials import ApiKey
from freeal.llm.endpoint_url import ADDRESSES, endpoint_url
from freeal.llm.errors_from_responses import error_for_connection
from freeal.llm.limits.rate_limiter import Limiter
from freeal.llm.limits.retry import Retry
from freeal.llm.network_route import route_to
from freeal.llm.providers.optional_features import Feature
from freeal.llm.providers.provider_base import OnNotice, RemoteModel, no_notice
from freeal.llm.replies.label_logprobs import MOST_ALTERNATIVES
from freeal.llm.replies.reply_or_error import Response, read_chat_response
from freeal.money.call_ceiling import output_ceiling
from freeal.types import Prompt, Reply

PATH = "/chat/completions"

_REQUEST_FORM = 2  # part of every answer's key: raise it when request_body changes what a model sees


class OpenAIModel(RemoteModel):
    """A model behind `base_url` (which ends in `/v1` for most servers) as a `ChatModel`. The key is optional.

    `environ` says which proxy and which certificates hold (freeal/llm/network_route.py).
    """

    features: Mapping[str, Feature] = {
        "json_schema": Feature(
            "an answer schema (response_format)",
            r"response_format|json_?schema|structured output|guided|grammar|specified schema|xgrammar|outlines",
            without="answers are not held to the labels",
        ),
        "logprobs": Feature(
            "log-probabilities (logprobs)", r"log_?probs", without="the confidence is what the model states"
        ),
        "temperature": Feature(
            "temperature 0", r"temperature|sampling param", without="answers may differ from run to run"
        ),
        "max_tokens": Feature(
            "the name max_tokens",
            r"max_tokens.{0,80}max_completion_tokens"
            r"|max_tokens.{0,40}(?:not |un)(?:supported|recogni[sz]ed|permitted|allowed|known|expected)"
            r"|max_tokens.{0,40}(?:deprecated|extra|no longer)"
            r"|(?:unsupported|unrecogni[sz]ed|unknown|unexpected|extra)[^.]{0,60}max_tokens",
            without="it is sent as max_completion_tokens",
            unless=r"too (?:large|big|high)|exceed|context (?:length|window)|at (?:least|most)|less than|greater than",
            is_last_resort=True,
        ),
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
        environ: Mapping[str, str] = os.environ,
        on_notice: OnNotice = no_notice,
    ) -> None:
        super().__init__(
            model,
            concurrency=concurrency,
            timeout_seconds=timeout_seconds,
            retry=retry,
            limiter=limiter,
            on_notice=on_notice,
        )
        self._url = endpoint_url(base_url or ADDRESSES["openai"], PATH)
        self._route = route_to(self._url, environ)
        self._client = httpx.AsyncClient(
            headers={"authorization": f"Bearer {key.reveal()}"} if key is not None else {},
            timeout=httpx.Timeout(timeout_seconds, connect=self._connect_seconds),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=concurrency),
            trust_env=False,
            proxy=self._route.proxy,
            verify=self._route.tls_context() or True,
        )

    @property
    def provider(self) -> str:
        """`openai`."""
        return "openai"

    @property
    def fingerprint(self) -> str:
        """Provider, address, model and the form of the request: the same name is another model on another server."""
        address = urllib.parse.urlsplit(self._url)._replace(query="").geturl()  # which may hold a key
        return json.dumps(["openai", address, self._model, _REQUEST_FORM])

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def optional_in(self, prompt: Prompt) -> frozenset[str]:
        """Probabilities and temperature are for labels alone."""
        return frozenset(self.features) if prompt.labels else frozenset({"json_schema", "max_tokens"})

    async def _send(self, prompt: Prompt, without: frozenset[str]) -> Reply:
        try:
            response = await self._client.post(self._url, json=request_body(prompt, model=self._model, without=without))
        except (httpx.HTTPError, httpx.InvalidURL, httpx.CookieConflict, httpx.StreamError) as cause:
            raise error_for_connection(cause, route=self._route) from cause
        self.heard(response.headers)
        came = Response(
            status=response.status_code, headers=response.headers, content=response.content, now=time.time()
        )
        return read_chat_response(came, prompt.labels)


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
            "schema": answer_schema(
                prompt.labels,
                branches=prompt.branches,
                open_labels=prompt.open_labels,
                ranked=prompt.ranked,
                several=prompt.several,
                rules=prompt.rules,
            ),
        }
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    if prompt.labels and "temperature" not in without:
        body["temperature"] = 0  # the same row gets the same answer; texts that are written should differ
    if prompt.labels and "logprobs" not in without:
        body |= {"logprobs": True, "top_logprobs": MOST_ALTERNATIVES}
    return body
