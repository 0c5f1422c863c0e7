"""The one reader of chat completions, as OpenAI and all who follow it send them: whole, in parts, or as a stream."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from freeal.llm.replies.label_logprobs import label_probability
from freeal.llm.replies.model_thoughts import answer_in, thinks
from freeal.llm.replies.token_counts import token_count
from freeal.types import Outcome, Reply, Usage

_CUT_OFF = frozenset({"length", "max_tokens", "model_length", "max_output_tokens", "insufficient_system_resource"})
_REFUSED = ("content_filter", "content-filter", "refusal", "safety", "sensitive", "prohibited", "blocklist", "spii")
_THOUGHT_FIELDS = ("reasoning_content", "reasoning", "thinking")
_THOUGHT_PARTS = ("thinking", "reasoning", "thought", "redacted")


def is_chat_completion(values: Sequence[Any]) -> bool:
    """Whether these JSON values have the form of one: a body with choices, or the chunks of a stream."""
    return any(isinstance(value, dict) and isinstance(value.get("choices"), list) for value in values)


def read_chat_completion(values: Sequence[Any], labels: Sequence[str]) -> Reply:
    """What one call answered. `values` is its body, or the chunks of a stream; `labels` are those asked for.

    An answer that a server put where thoughts belong, or into a tool call, is one where it came to its end and holds
    nothing but JSON; a draft among thoughts is none. Raises `ValueError` for what is no chat completion.
    """
    body = _merged_completion_chunks(values)
    choices = [choice for choice in body["choices"] if isinstance(choice, dict)]
    if not choices:
        raise ValueError("it holds no choices")
    choice = choices[0]
    message = choice.get("message") or {"content": choice.get("text")}
    if not isinstance(message, dict):
        raise ValueError("its choice holds no message")  # noqa: TRY004 - a server's value, not a caller's
    finish = str(choice.get("finish_reason") or choice.get("stop_reason") or "stop")
    content, refusal = _text_and_refusal_of_content(message.get("content"))
    refusal = refusal or _text_of_content(message.get("refusal"))
    thoughts = next((found for name in _THOUGHT_FIELDS if (found := _text_of_content(message.get(name)))), "")
    text = content if answer_in(content) else _answer_without_content(message, thoughts, finish) or content
    outcome = _outcome_of_finish_reason(finish, text, is_refusal=bool(refusal))
    usage = _usage_of_completion(body.get("usage"))
    thought = bool(thoughts) or thinks(content)
    return Reply(
        text=text or refusal,
        outcome=outcome,
        words=_words_on_finish_reason(outcome, finish, usage=usage, refusal=refusal, thought=thought),
        usage=usage,
        label_probability=_probability(choice, labels),
    )


def _outcome_of_finish_reason(finish: str, text: str, *, is_refusal: bool) -> Outcome:
    if is_refusal or finish.lower().startswith(_REFUSED):
        return "refused"
    if finish.lower() in _CUT_OFF:
        return "cut_off"
    return "answer" if answer_in(text) else "empty"


def _words_on_finish_reason(outcome: Outcome, finish: str, *, usage: Usage, refusal: str, thought: bool) -> str:
    """The server's own words for what is no answer, and what else can be seen of it."""
    after = f" after {usage.output_tokens:,} tokens" if usage.output_tokens else ""
    said = f"finish_reason {finish!r}{after}"
    if outcome == "refused":
        return refusal or said
    if outcome == "cut_off":
        return said + (", thoughts among them" if thought else "")
    if outcome == "empty":
        return f"{said}, with empty content" + (" beside thoughts (reasoning) without an answer" if thought else "")
    return ""


def _answer_without_content(message: Mapping[str, Any], thoughts: str, finish: str) -> str:
    """The answer of a message without content: in a tool call, or, where it is nothing but that, among thoughts."""
    calls = message.get("tool_calls")
    called = [call.get("function") for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    for function in (*called, message.get("function_call")):
        arguments = function.get("arguments") if isinstance(function, dict) else None
        if arguments:
            return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    if finish.lower() in _CUT_OFF:
        return ""
    answer = answer_in(thoughts)
    whole = answer.removeprefix("```json").strip("`\n ")
    return answer if thinks(thoughts) or (whole.startswith("{") and whole.endswith("}")) else ""


def _text_and_refusal_of_content(content: object) -> tuple[str, str]:
    """Text and refusal of a message's content, which may be a list of parts; thoughts among them are left out."""
    if not isinstance(content, list):
        return _text_of_content(content), ""
    text, refusal = "", ""
    for part in content:
        kind = str(part.get("type", "")) if isinstance(part, dict) else ""
        if isinstance(part, str):
            text += part
        elif isinstance(part, dict) and not kind.startswith(_THOUGHT_PARTS):
            refusal += _text_of_content(part.get("refusal"))
            text += _text_of_content(part.get("text") if "text" in part else part.get("content"))
    return text, refusal


def _text_of_content(value: object) -> str:
    if isinstance(value, list):
        return _text_and_refusal_of_content(value)[0]
    if isinstance(value, dict):  # an object where its text was due
        return _text_of_content(value["value"]) if "value" in value else json.dumps(value, ensure_ascii=False)
    return "" if value is None else str(value)


def _usage_of_completion(used: object) -> Usage:
    told = used if isinstance(used, dict) else {}
    details = told.get("prompt_tokens_details")
    return Usage(
        calls=1,
        input_tokens=token_count(told.get("prompt_tokens")),
        cached_tokens=token_count(details.get("cached_tokens")) if isinstance(details, dict) else 0,
        output_tokens=token_count(told.get("completion_tokens")),
    )


def _probability(choice: Mapping[str, Any], labels: Sequence[str]) -> float | None:
    try:
        return label_probability(choice, labels)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError):
        return None  # servers fill this field in many ways; the answer stands without it


def _merged_completion_chunks(values: Sequence[Any]) -> dict[str, Any]:
    """One body from the chunks of a stream; a body alone is itself. Raises `ValueError` for half a stream."""
    bodies = [value for value in values if isinstance(value, dict)]
    with_choices = [body for body in bodies if isinstance(body.get("choices"), list)]
    if not with_choices:
        raise ValueError("it holds no choices")
    firsts = [body["choices"][0] for body in with_choices if body["choices"] and isinstance(body["choices"][0], dict)]
    if not any("delta" in choice for choice in firsts):
        return with_choices[-1]
    finish = next((choice["finish_reason"] for choice in firsts[::-1] if choice.get("finish_reason")), None)
    if finish is None:
        raise ValueError("its stream breaks off")
    message: dict[str, Any] = {}
    logprobs: list[Any] = []
    for choice in firsts:
        _join_chunk_delta(message, choice.get("delta") or choice.get("message") or {})
        told = choice.get("logprobs")
        logprobs += (told.get("content") or []) if isinstance(told, dict) else []
    usage = next((body["usage"] for body in bodies[::-1] if body.get("usage")), None)
    choice = {"message": message, "finish_reason": finish, "logprobs": {"content": logprobs} if logprobs else None}
    return {"choices": [choice], "usage": usage}


def _join_chunk_delta(message: dict[str, Any], delta: object) -> None:
    for name, value in delta.items() if isinstance(delta, dict) else ():
        if name == "tool_calls" and isinstance(value, list):
            calls = message.setdefault(name, [])
            for call in value:
                function = call.get("function") if isinstance(call, dict) else None
                if isinstance(function, dict):
                    place = call.get("index", 0)
                    while isinstance(place, int) and len(calls) <= place < 100:
                        calls.append({"function": {"arguments": ""}})
                    calls[place]["function"]["arguments"] += _text_of_content(function.get("arguments"))
        elif isinstance(value, str) and name != "role":
            message[name] = message.get(name, "") + value
        elif isinstance(value, list):
            message[name] = [*message.get(name, []), *value]
