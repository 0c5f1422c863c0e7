"""The one reader of messages as Anthropic and gateways before it send them: whole, from a batch, or as a stream."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from freeal.llm.replies.model_thoughts import answer_in, thinks
from freeal.llm.replies.token_counts import token_count
from freeal.types import Outcome, Reply, Usage

_CUT_OFF = frozenset({"max_tokens", "model_context_window_exceeded", "pause_turn"})


def is_message(values: Sequence[Any]) -> bool:
    """Whether these JSON values have the form of a message, or of a stream's events."""
    return any(isinstance(value, dict) and _is_part(value) for value in values)


def read_message(values: Sequence[Any]) -> Reply:
    """What one call answered; `values` is the message, or the events of a stream. Raises `ValueError` for what is none.

    Text blocks count, and the input of a tool use where there are none; thinking never does.
    """
    message = _merged_message(values)
    blocks = [block for block in message.get("content") or [] if isinstance(block, dict)]
    text = "".join(str(block.get("text") or "") for block in blocks if block.get("type", "text") == "text")
    if not answer_in(text):
        inputs = [block["input"] for block in blocks if block.get("type") == "tool_use" and block.get("input")]
        text = json.dumps(inputs[0], ensure_ascii=False) if inputs else text
    reason = str(message.get("stop_reason") or "end_turn")
    outcome: Outcome = "answer" if answer_in(text) else "empty"
    if reason == "refusal":
        outcome = "refused"
    elif reason in _CUT_OFF:
        outcome = "cut_off"
    usage = _usage_of_message(message.get("usage"))
    thought = thinks(text) or any("thinking" in str(block.get("type")) for block in blocks)
    words = _words_on_stop_reason(outcome, reason, usage=usage, thought=thought, details=message.get("stop_details"))
    return Reply(text=text, outcome=outcome, words=words, usage=usage)


def _words_on_stop_reason(outcome: Outcome, reason: str, *, usage: Usage, thought: bool, details: object) -> str:
    if outcome == "answer":
        return ""
    said = f"stop_reason {reason!r}" + (f" after {usage.output_tokens:,} tokens" if usage.output_tokens else "")
    if isinstance(details, dict) and (told := details.get("explanation") or details.get("category")):
        return f"{said}: {told}"
    if outcome == "empty":
        said += ", without a text"
    return said + (", thoughts among them" if thought else "")


def _is_part(value: Mapping[str, Any]) -> bool:
    return isinstance(value.get("content"), list) or value.get("type") == "message_start"


def _merged_message(values: Sequence[Any]) -> Mapping[str, Any]:
    bodies = [value for value in values if isinstance(value, dict)]
    if not any(_is_part(body) for body in bodies):
        raise ValueError("it holds no content")
    if bodies[0].get("type") not in {"message_start", "ping"}:
        return next(body for body in bodies if _is_part(body))
    if bodies[-1].get("type") != "message_stop":
        raise ValueError("its stream breaks off")
    return _message_from_stream_events(bodies)


def _message_from_stream_events(events: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    message: dict[str, Any] = {}
    blocks: dict[Any, dict[str, Any]] = {}
    for event in events:
        match event.get("type"):
            case "message_start":
                message = dict(event.get("message") or {})
            case "content_block_start":
                blocks[event.get("index")] = dict(event.get("content_block") or {})
            case "content_block_delta":
                _join(blocks.setdefault(event.get("index"), {"type": "text"}), event.get("delta"))
            case "message_delta":
                message |= event.get("delta") or {}
                message["usage"] = {**(message.get("usage") or {}), **(event.get("usage") or {})}
    for block in blocks.values():
        if isinstance(written := block.pop("partial_json", None), str):
            block["input"] = json.loads(written or "{}")
    return {**message, "content": list(blocks.values())}


def _join(block: dict[str, Any], delta: object) -> None:
    for name, value in delta.items() if isinstance(delta, dict) else ():
        if name != "type" and isinstance(value, str):
            block[name] = (block.get(name) or "") + value


def _usage_of_message(used: object) -> Usage:
    told = used if isinstance(used, dict) else {}
    read, written = (
        token_count(told.get("cache_read_input_tokens")),
        token_count(told.get("cache_creation_input_tokens")),
    )
    return Usage(
        calls=1,
        input_tokens=token_count(told.get("input_tokens")) + read + written,
        cached_tokens=read,
        output_tokens=token_count(told.get("output_tokens")),
        cache_write_tokens=written,
    )
