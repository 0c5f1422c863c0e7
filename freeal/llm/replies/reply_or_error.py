"""A whole response as what it means: a reply, or the error it tells of, whatever its status says."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from freeal.errors import TransientError
from freeal.llm.errors_from_responses import error_for_answer, shortened
from freeal.llm.replies.body_as_json import UnreadableBodyError, json_values, plain_words
from freeal.llm.replies.chat_completion import is_chat_completion, read_chat_completion
from freeal.llm.replies.error_body import ErrorBody, error_in, is_filter_refusal
from freeal.llm.replies.messages_api import is_message, read_message
from freeal.types import Reply, Usage

_KINDS = (
    ("rate_limit", 429),
    ("resource_exhausted", 429),
    ("overloaded", 529),
    ("unavailable", 503),
    ("authentication", 401),
    ("permission", 403),
    ("not_found", 404),
    ("too_large", 413),
    ("timeout", 504),
    ("billing", 402),
    ("invalid_request", 400),
    ("invalid_argument", 400),
)
"""What an error in a body that came as 200 would have been as a status, by a part of its code."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What came back from `server`: a status, lower-case headers, the unpacked body; `now` is the Unix time."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    now: float
    server: str = "the language model server"
    is_anthropic: bool = False
    """Whether it is Anthropic, or a gateway before it, that was asked."""

    @property
    def is_success(self) -> bool:
        """Whether its status says that all went well."""
        return 200 <= self.status < 300


def read_chat_response(response: Response, labels: Sequence[str]) -> Reply:
    """The reply in a response of a chat completions server. Raises the classes of `LlmError`."""

    def read(found: Sequence[Any]) -> Reply:
        return read_chat_completion(found, labels)

    return _reply_or_error(response, is_chat_completion, read)


def read_messages_response(response: Response) -> Reply:
    """The reply in a response of the Messages API. Raises the classes of `LlmError`."""
    return _reply_or_error(response, is_message, read_message)


def refusal_of(message: str) -> Reply:
    """A filter's refusal to have one text answered: nothing was generated."""
    return Reply(outcome="refused", words=shortened(message), usage=Usage(calls=1))


def _reply_or_error(
    response: Response, is_ours: Callable[[Sequence[Any]], bool], read: Callable[[Sequence[Any]], Reply]
) -> Reply:
    found: list[Any] = []
    problem = ""
    try:
        found = json_values(response.content, response.headers.get("content-type", ""))
    except UnreadableBodyError as cause:
        problem = str(cause)
    error = _error_in(found)
    if error is None and response.is_success:
        if is_ours(found):
            try:
                return read(found)
            except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as cause:
                problem = str(cause) if isinstance(cause, ValueError) else "it has an unknown form"
        raise TransientError(
            f"the answer of {response.server} cannot be read: {problem or 'it has an unknown form'}",
            trouble="lost_reply",
        )
    if error is None:
        error = ErrorBody(plain_words(response.content.decode("utf-8", "replace")) or problem, frozenset())
    return _refusal_or_raise(response, error)


def _error_in(found: Sequence[Any]) -> ErrorBody | None:
    """The error that any of a response's values tells of, by itself or in a choice."""
    for value in found:
        choices = value.get("choices") if isinstance(value, dict) else None
        inside = [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []
        for one in (value, *(choice for choice in inside if choice.get("error"))):
            if (error := error_in(one)) is not None:
                return error
    return None


def _refusal_or_raise(response: Response, error: ErrorBody) -> Reply:
    """A response that tells of an error: a reply where that is a filter's refusal, else the error is raised."""
    status = response.status
    if response.is_success:
        status = error.status or _status_by_code(error.codes)
    if is_filter_refusal(status, error.message, error.codes):
        return refusal_of(error.message)
    raise error_for_answer(
        status,
        error.message,
        codes=error.codes,
        headers={**response.headers, **error.headers},
        now=response.now,
        # Anthropic's own answers carry the id it gave the request; a gateway that refuses by itself knows none.
        silence_is_spend_cap=response.is_anthropic and "request-id" in response.headers,
    )


def _status_by_code(codes: frozenset[str]) -> int:
    said = [code.lower() for code in codes]
    return next((status for part, status in _KINDS if any(part in code for code in said)), 500)
