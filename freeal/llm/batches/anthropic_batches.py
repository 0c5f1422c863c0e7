"""The Message Batches API: half the price, answers within a day.

https://platform.claude.com/docs/en/build-with-claude/batch-processing: at most 100,000 requests or 256 MB per batch;
a batch ends after 24 hours at the latest; results are kept for 29 days.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import AsyncGenerator, Iterator, Mapping
from typing import Any

import anthropic
import httpx2
from anthropic._decoders.jsonl import AsyncJSONLDecoder
from anthropic.types.messages import MessageBatch, MessageBatchIndividualResponse

from freeal.errors import RowRejectedError, TransientError
from freeal.llm.batches.batch_service import Batch, Outcome
from freeal.llm.errors_from_responses import error_for_status
from freeal.llm.providers.anthropic import AnthropicModel, error_of_anthropic_client, reply_of
from freeal.llm.replies.error_body import is_filter_refusal
from freeal.llm.replies.reply_or_error import refusal_of
from freeal.types import Prompt

_CONNECT_SECONDS = 10.0
_CREATE_TIMEOUT = anthropic.Timeout(900.0, connect=_CONNECT_SECONDS)
"""For uploading a batch: tens of megabytes over a slow line."""

_RESULTS_TIMEOUT = anthropic.Timeout(300.0, connect=_CONNECT_SECONDS)
_PATH = "/v1/messages/batches"
_PAGE = 100
_PIECE_BYTES = 1_000_000
_UNREADABLE = "the answer of the Message Batches API cannot be read"
_CUSTOM_ID_BYTES = 64 + 32  # the id, and the keys and braces around a request
_STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""The HTTP status each type of error has when it is answered live."""


class AnthropicBatches:
    """Batches of one Claude model, as a `BatchService`; they go through the model's own client."""

    def __init__(self, model: AnthropicModel) -> None:
        self._model = model
        self._client = model.client

    @property
    def endpoint(self) -> str:
        """The address of the API."""
        return str(self._client.base_url).rstrip("/")

    def size_bytes(self, prompt: Prompt) -> int:
        """As ASCII JSON, which is never shorter than what is sent."""
        return _CUSTOM_ID_BYTES + len(json.dumps(self._model.body(prompt)))

    def adapt(self, error: RowRejectedError) -> bool:
        """Whether the refusal names an optional feature, which is left out from now on."""
        return self._model.leave_out(error)

    async def create(self, requests: Mapping[str, Prompt]) -> Batch:
        """Submit a batch. Its requests are written one by one as they are sent."""
        length = sum(map(len, self._body_of_batch(requests)))
        try:
            # The client's own `create` copies all requests several times before it sends the first byte.
            batch = await self._client.post(
                _PATH,
                content=_asynchronous(self._body_of_batch(requests)),
                options={
                    "headers": {"Content-Type": "application/json", "Content-Length": str(length)},
                    "timeout": _CREATE_TIMEOUT,
                },
                cast_to=MessageBatch,
            )
        except (anthropic.AnthropicError, ValueError) as cause:
            raise error_of_anthropic_client(cause, route=self._model.route) from cause
        return _batch_or_error(batch)

    def _body_of_batch(self, requests: Mapping[str, Prompt]) -> Iterator[bytes]:
        """The body of `create`, about a megabyte at a time."""
        piece, separator = bytearray(b'{"requests": ['), b""
        for custom_id, prompt in requests.items():
            one = {"custom_id": custom_id, "params": self._model.body(prompt)}
            piece += separator + json.dumps(one).encode("ascii")
            separator = b","
            if len(piece) > _PIECE_BYTES:
                yield bytes(piece)
                piece.clear()
        yield bytes(piece + b"]}")

    async def newest(self) -> Batch | None:
        """The newest batch of the workspace."""
        try:
            page = await self._client.messages.batches.list(limit=1)
        except (anthropic.AnthropicError, ValueError) as cause:
            raise error_of_anthropic_client(cause, route=self._model.route) from cause
        return _batch_or_error(page.data[0]) if page.data else None

    async def newer_than(
        self, batch_id: str | None, *, not_before: datetime.datetime | None
    ) -> AsyncGenerator[Batch, None]:
        """Page by page, the newest first."""
        try:
            async for listed in self._client.messages.batches.list(limit=_PAGE):
                batch = _batch_or_error(listed)
                if batch.id == batch_id or (not_before is not None and batch.created_at < not_before):
                    return
                yield batch
        except (anthropic.AnthropicError, ValueError) as cause:
            raise error_of_anthropic_client(cause, route=self._model.route) from cause

    async def look_up(self, batch_id: str) -> Batch | None:
        """How far a batch is."""
        try:
            return _batch_or_error(await self._client.messages.batches.retrieve(batch_id))
        except anthropic.NotFoundError:
            return None
        except (anthropic.AnthropicError, ValueError) as cause:
            raise error_of_anthropic_client(cause, route=self._model.route) from cause

    async def results(self, batch_id: str) -> AsyncGenerator[Outcome, None]:
        """Streamed, in the service's order."""
        # The client's own `results` follows `results_url` wherever it points, with the key in the header; this is the
        # same address below ours, which a gateway at llm.base_url passes on too.
        try:
            decoder: AsyncJSONLDecoder[MessageBatchIndividualResponse] = await self._client.get(
                f"{_PATH}/{batch_id}/results",
                options={"headers": {"Accept": "application/binary"}, "timeout": _RESULTS_TIMEOUT},
                cast_to=AsyncJSONLDecoder[MessageBatchIndividualResponse],
                stream=True,
                stream_cls=None,
            )
            try:
                async for line in decoder:
                    yield _outcome_of_batch_result(line)
            finally:
                await decoder.close()
        except (anthropic.AnthropicError, httpx2.HTTPError, ValueError) as cause:
            raise error_of_anthropic_client(cause, route=self._model.route) from cause

    async def cancel(self, batch_id: str) -> None:
        """Ask for a batch to be cancelled."""
        try:
            await self._client.messages.batches.cancel(batch_id)
        except anthropic.BadRequestError:
            return  # it has ended: there is nothing left to cancel
        except (anthropic.AnthropicError, ValueError) as cause:
            raise error_of_anthropic_client(cause, route=self._model.route) from cause


async def _asynchronous(pieces: Iterator[bytes]) -> AsyncGenerator[bytes, None]:
    for piece in pieces:
        yield piece


def _batch_or_error(batch: object) -> Batch:
    # The client builds its objects unchecked: what a proxy answers may be a string, or lack any field.
    if not isinstance(batch, MessageBatch):
        raise TransientError(_UNREADABLE)
    try:
        return _batch_from_message_batch(batch)
    except (AttributeError, TypeError) as cause:
        raise TransientError(_UNREADABLE) from cause


def _batch_from_message_batch(batch: MessageBatch) -> Batch:
    counts = batch.request_counts
    answered = counts.succeeded + counts.errored + counts.canceled + counts.expired
    ended = batch.processing_status == "ended"
    return Batch(
        id=batch.id,
        created_at=batch.created_at,
        ended=ended,
        readable=ended and batch.results_url is not None,
        requests=answered + counts.processing,
        answered=answered,
    )


def _outcome_of_batch_result(line: MessageBatchIndividualResponse) -> Outcome:
    custom_id = str(getattr(line, "custom_id", ""))
    try:
        result = line.result
        if result.type == "succeeded":
            return Outcome(custom_id, reply=reply_of(result.message))
        if result.type == "errored":
            return _outcome_of_errored_result(custom_id, result.error.error)
        return Outcome(custom_id, cancelled=result.type == "canceled")
    except (AttributeError, TypeError, ValueError):
        return Outcome(custom_id, error=TransientError(_UNREADABLE))


def _outcome_of_errored_result(custom_id: str, error: Any) -> Outcome:
    code = getattr(getattr(error, "details", None), "error_code", None)
    codes = frozenset(name for name in (error.type, code) if isinstance(name, str))
    status = _STATUSES.get(error.type, 500)
    if is_filter_refusal(status, error.message, codes):
        return Outcome(custom_id, reply=refusal_of(error.message))
    return Outcome(custom_id, error=error_for_status(status, error.message, codes=codes))
