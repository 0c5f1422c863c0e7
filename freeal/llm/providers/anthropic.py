"""Claude through the Messages API: structured output, a cached prefix, no retries of the client's own.

Imported only where this provider is chosen: the client takes a second to load.
"""

from __future__ import annotations

import json
import os
import re
import time
import urllib.parse
from collections.abc import Mapping
from typing import Any

import anthropic
import httpx2
from anthropic.types import Message

from freeal.errors import AccountError, LlmError, TransientError
from freeal.llm.answer_schema import answer_schema
from freeal.llm.credentials import ApiKey
from freeal.llm.endpoint_url import ADDRESSES
from freeal.llm.errors_from_responses import error_for_connection, shortened
from freeal.llm.limits.rate_limiter import Limiter
from freeal.llm.limits.retry import Retry
from freeal.llm.network_route import Route, route_to
from freeal.llm.providers.optional_features import Feature
from freeal.llm.providers.provider_base import OnNotice, RemoteModel, no_notice
from freeal.llm.replies.messages_api import read_message
from freeal.llm.replies.reply_or_error import Response, read_messages_response
from freeal.money.call_ceiling import output_ceiling
from freeal.money.current_models import nearest_current
from freeal.types import Prompt, Reply

DEFAULT_MODEL = "claude-haiku-5-5"

_REQUEST_FORM = 1  # part of every answer's key: raise it when request_body changes what a model sees


class AnthropicModel(RemoteModel):
    """A Claude model as a `ChatModel`."""

    cached_input_counts = False
    features: Mapping[str, Feature] = {
        "effort": Feature("an effort", r"\beffort\b", without="it thinks as much as it likes"),
        "thinking": Feature("an order not to think", r"\bthinking\b", without="it thinks as much as it likes"),
        "format": Feature(
            "an answer schema (output_config.format)",
            r"output_config\.format|output_format|json_?schema|structured output|grammar|schema",
            without="answers are not held to the labels",
        ),
        "cache": Feature("cache_control", r"cache_control", without="shared parts of prompts are paid in full"),
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
        environ: Mapping[str, str] = os.environ,
        on_notice: OnNotice = no_notice,
    ) -> None:
        super().__init__(
            model or DEFAULT_MODEL,
            concurrency=concurrency,
            timeout_seconds=timeout_seconds,
            retry=retry,
            limiter=limiter,
            on_notice=on_notice,
        )
        address, query = _base_and_query(base_url or ADDRESSES["anthropic"])
        self._route = route_to(address, environ)
        timeout = anthropic.Timeout(timeout_seconds, connect=self._connect_seconds)
        self._client = anthropic.AsyncAnthropic(
            api_key=key.reveal(),
            base_url=address,
            default_query=query,
            timeout=timeout,
            max_retries=0,
            # The client's own default would read proxies from the environment, whatever it is told.
            http_client=httpx2.AsyncClient(
                trust_env=False,
                proxy=self._route.proxy,
                verify=self._route.tls_context() or True,
                timeout=timeout,
                limits=httpx2.Limits(max_connections=None, max_keepalive_connections=concurrency),
            ),
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

    @property
    def route(self) -> Route:
        """The way to the API."""
        return self._route

    def optional_in(self, prompt: Prompt) -> frozenset[str]:  # noqa: ARG002 - the same for every prompt
        """An order not to think is given to those alone that take one."""
        return frozenset(self.features) - (frozenset() if "haiku" in self._model else {"thinking"})

    def body(self, prompt: Prompt) -> dict[str, Any]:
        """The request for a prompt, less what this model has refused so far."""
        return request_body(prompt, model=self._model, without=self._search.left_out)

    def leave_out(self, error: LlmError) -> bool:
        """Leave out from now on what a refusal speaks of; whether it spoke of anything that is optional."""
        return self._search.leave_out(error)

    async def _send(self, prompt: Prompt, without: frozenset[str]) -> Reply:
        body = request_body(prompt, model=self._model, without=without)
        try:
            answer = await self._client.messages.with_raw_response.create(**body)
            status, headers, content = answer.status_code, answer.headers, await answer.read()
        except anthropic.APIStatusError as cause:
            status, headers, content = cause.status_code, cause.response.headers, cause.response.content
        except (anthropic.AnthropicError, httpx2.HTTPError, ValueError) as cause:
            raise error_of_anthropic_client(cause, route=self._route) from cause
        self.heard(headers)
        try:
            return read_messages_response(_response(status, headers, content))
        except LlmError as error:
            raise self._named(error) from None

    def _named(self, error: LlmError) -> LlmError:
        """Who is told that there is no such model also learns which there are."""
        if isinstance(error, AccountError) and "answered 404" in error.problem and error.hint:
            error.hint += f"; models of today: {', '.join(nearest_current(self._model))}"
        return error


def _response(status: int, headers: Mapping[str, str], content: bytes) -> Response:
    return Response(
        status=status, headers=headers, content=content, now=time.time(), server="the Messages API", is_anthropic=True
    )


def _base_and_query(base_url: str) -> tuple[str, dict[str, object]]:
    """The address the client wants, without the path it adds, and the query to send with every request."""
    url = urllib.parse.urlsplit(base_url.strip())
    path = re.sub(r"(?:/v1)?(?:/messages)?/*$", "", url.path)
    return urllib.parse.urlunsplit((url.scheme, url.netloc, path, "", "")), dict(urllib.parse.parse_qsl(url.query))


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
        schema = answer_schema(
            prompt.labels,
            branches=prompt.branches,
            open_labels=prompt.open_labels,
            ranked=prompt.ranked,
            several=prompt.several,
            rules=prompt.rules,
        )
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
    """A finished message as a `Reply`. Raises `ValueError` for what is none."""
    return read_message([message.to_dict(mode="json")])


def error_of_anthropic_client(error: Exception, *, route: Route) -> LlmError:
    """Any exception of the client as ours."""
    if isinstance(error, anthropic.APIStatusError):
        try:
            read_messages_response(_response(error.status_code, error.response.headers, error.response.content))
        except LlmError as meant:
            return meant
        return AccountError(f"the Messages API answered {error.status_code}: {shortened(error.message)}")
    if isinstance(error, anthropic.APIConnectionError | httpx2.HTTPError):  # the latter while a body is streamed
        return error_for_connection(error.__cause__ or error, route=route)
    if isinstance(error, anthropic.APIResponseValidationError | anthropic.RetryableError | ValueError):
        problem = f"the answer of the Messages API cannot be read: {shortened(str(error))}"
        return TransientError(problem, trouble="lost_reply")
    return AccountError(f"the Anthropic client refused the call: {shortened(str(error))}")
