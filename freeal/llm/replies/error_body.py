"""An error in a server's own words, in whatever form it tells it, and whether those words are a filter's refusal."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

_CODE_KEYS = ("type", "code", "status", "error_code", "errorCode", "reason", "Code")
_WORD_KEYS = ("message", "msg", "detail", "error_msg", "error_description", "reason", "title", "Message", "error")
_NESTED = ("error", "details", "innererror", "metadata", "errors")

_FILTER_CODES = re.compile(
    r"content_?filter|responsibleaipolicy|content_?policy|data_?inspection_?failed|moderation|sensitive_?content"
    r"|prohibited_?content|guardrail|unsafe_?content|^safety$|^1301$",  # 1301: Zhipu
    re.IGNORECASE,
)
_FILTER_WORDS = re.compile(
    r"content (?:management|filter(?:ing)?|moderation|safety|usage) polic|content[ _-]?filter|filtered due to"
    r"|safety (?:system|filter|setting|guideline|polic|reason)|(?:was|been|were|is) flagged|requires moderation"
    r"|(?:inappropriate|prohibited|sensitive|unsafe) content|considered high risk"
    r"|blocked by (?:content|safety|guardrail)"
    r"|violat\w+ (?:\w+ ){0,3}(?:usage|content|safety) polic",
    re.IGNORECASE,
)
_ABOUT_THE_ACCOUNT = re.compile(r"\b(?:account|organization|workspace|api key|credential|deactivated)", re.IGNORECASE)
_FILTER_STATUSES = frozenset({200, 400, 403, 422, 451})


@dataclasses.dataclass(frozen=True, slots=True)
class ErrorBody:
    """What an error says: its words, its machine-readable codes, the HTTP status it names (a relay's body may name
    another than its headers) and the headers it repeats."""

    message: str
    codes: frozenset[str]
    status: int | None = None
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)


def error_in(body: object) -> ErrorBody | None:
    """The error a JSON body tells of; None where it has the form of none."""
    if isinstance(body, list):
        return next((found for found in map(error_in, body) if found is not None), None)
    if not isinstance(body, dict):
        return None
    told = body.get("error")
    is_error = bool(told) or body.get("object") == "error" or body.get("type") == "error"
    if not is_error and not (_error_words(body) and not body.keys() & {"choices", "content", "message_stop"}):
        return None
    scopes = list(_error_scopes(body))
    numbers = [number for scope in scopes for number in map(_status, map(scope.get, ("code", "status", "statusCode")))]
    headers: dict[str, Any] = next((scope["headers"] for scope in scopes if isinstance(scope.get("headers"), dict)), {})
    return ErrorBody(
        message=_error_words(body) or "an error without a word",
        codes=frozenset(
            str(scope[key]) for scope in scopes for key in _CODE_KEYS if isinstance(scope.get(key), str | int)
        ),
        status=next((number for number in numbers if number is not None), None),
        headers={str(name).lower(): str(value) for name, value in headers.items()},
    )


def is_filter_refusal(status: int, message: str, codes: frozenset[str]) -> bool:
    """Whether an error says that the text of this one request may not be answered."""
    if status not in _FILTER_STATUSES or _ABOUT_THE_ACCOUNT.search(message):
        return False
    return any(_FILTER_CODES.search(code) for code in codes) or _FILTER_WORDS.search(message) is not None


def _error_scopes(body: Mapping[str, Any], depth: int = 0) -> list[Mapping[str, Any]]:
    found = [body]
    for key in _NESTED if depth < 4 else ():
        inner = body.get(key)
        for one in inner if isinstance(inner, list) else [inner]:
            if isinstance(one, dict):
                found += _error_scopes(one, depth + 1)
    return found


def _error_words(body: Mapping[str, Any]) -> str:
    """The innermost thing that is said: a relay's `message` may be the text of the answer it got."""
    error = body.get("error")
    if isinstance(error, dict):
        return _error_words(error)
    for key in _WORD_KEYS:
        said = body.get(key)
        if isinstance(said, str) and said.strip():
            return said.strip()
        if isinstance(said, list) and said:  # FastAPI: [{"loc": [...], "msg": "..."}]
            parts = [part.get("msg") if isinstance(part, dict) else part for part in said]
            if words := "; ".join(str(part) for part in parts if part):
                return words
    errors = body.get("errors")
    if isinstance(errors, list) and errors:
        return "; ".join(_error_words(one) if isinstance(one, dict) else str(one) for one in errors)
    return ""


def _status(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = str(value)
    return int(text) if re.fullmatch(r"[45]\d\d", text) else None
