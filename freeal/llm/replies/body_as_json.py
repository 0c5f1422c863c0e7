"""The bytes of a response as JSON values: one, or those of a stream that was not asked for."""

from __future__ import annotations

import json
import re
from typing import Any

_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_TAGS = re.compile(r"<(?:script|style)\b.*?</(?:script|style)>|<[^>]*>", re.IGNORECASE | re.DOTALL)
_MOST_WORDS = 300


class UnreadableBodyError(ValueError):
    """A body that is no JSON; the message says what it is."""


def json_values(content: bytes, content_type: str = "") -> list[Any]:
    """The JSON value of a body, or all of a stream's, in order. Raises `UnreadableBodyError`, and nothing else.

    Streams are server-sent events, or one JSON value a line.
    """
    text = content.decode("utf-8-sig", "replace").strip()
    if not text:
        raise UnreadableBodyError("its body is empty")
    if "event-stream" in content_type or re.match(r"(?:data|event|id|retry)\s*:|:", text):
        return _json_of_events(text)
    try:
        return [json.loads(text)]
    except (ValueError, RecursionError) as cause:
        lines = _json_of_lines(text)
        if lines:
            return lines
        raise UnreadableBodyError(_what_body_is(text)) from cause


def plain_words(text: str) -> str:
    """What a web page, or any other text, says: its title, else its words, on one line."""
    title = _TITLE.search(text)
    words = title[1] if title else _TAGS.sub(" ", text)
    return " ".join(words.split())[:_MOST_WORDS]


def _json_of_events(text: str) -> list[Any]:
    found = []
    for event in re.split(r"\r?\n\r?\n|\r\r", text):
        lines = [line[5:].removeprefix(" ") for line in event.splitlines() if line.startswith("data:")]
        data = "\n".join(lines).strip()
        if data and data != "[DONE]":
            try:
                found.append(json.loads(data))
            except (ValueError, RecursionError) as cause:
                raise UnreadableBodyError("its stream of events breaks off") from cause
    if not found:
        raise UnreadableBodyError("its stream of events holds nothing")
    return found


def _json_of_lines(text: str) -> list[Any]:
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 2:
        return []
    try:
        found = [json.loads(line) for line in lines]
    except (ValueError, RecursionError):
        return []
    return found if all(isinstance(value, dict) for value in found) else []


def _what_body_is(text: str) -> str:
    if text.startswith("<"):
        return f"it is a web page ({plain_words(text)!r}), not JSON: check llm.base_url, and what stands before it"
    if text.startswith(("{", "[")):
        return "its JSON breaks off or is damaged"
    return f"it is no JSON but {plain_words(text)[:80]!r}"
