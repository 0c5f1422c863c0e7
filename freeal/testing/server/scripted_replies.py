"""What the language model behind the server says, in the words of either protocol, and how many tokens that took."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from freeal.testing.scripted_model import text_of
from freeal.testing.server.faults import Fault
from freeal.testing.server.http_response import Form
from freeal.testing.server.token_usage import text_in
from freeal.text import joined_labels
from freeal.types import Usage

_ASKED_LABEL = re.compile(r'whose label is clearly "(.*?)"')
_ASKED_LABELS = re.compile(r"to which clearly (?:the labels? (.*?) and no other applies|none)")
_TOKEN = re.compile(r"\w+|\W")
_SPANISH = {
    "positive": "positivo",
    "negative": "negativo",
    "good": "bueno",
    "bad": "malo",
    "yes": "sí",
    "no": "ninguno",
}

Body = Mapping[str, Any]


def spanish(label: str) -> str:
    """A label's name as a model says it that answers in the language of the text. Raises `KeyError` for others."""
    return _SPANISH[label]


@dataclasses.dataclass(frozen=True, slots=True)
class Said:
    """One answer: the text, why it ended (in the words of the Messages API) and the tokens of the whole call."""

    text: str
    stop_reason: str
    usage: Usage


class Voice:
    """Answers label prompts by `answer`, writing prompts by `write(label, number)`."""

    def __init__(
        self,
        answer: Callable[[str], str],
        write: Callable[[str, int], str],
        translate: Callable[[str], str],
    ) -> None:
        self._answer = answer
        self._write = write
        self._translate = translate

    def say(self, body: Body, asked: Usage, fault: Fault | None) -> Said:
        """The answer to a request that took `asked` on its way in."""
        kind = fault.kind if fault is not None else ""
        text = self._text(prompt_of(body), schema_of(body), kind)
        stop_reason = kind if kind in {"refusal", "max_tokens"} else "end_turn"
        return Said(text, stop_reason, dataclasses.replace(asked, calls=1, output_tokens=1 + len(text) // 4))

    def _text(self, prompt: str, schema: Mapping[str, Any], kind: str) -> str:
        if "texts" in schema:
            label = _label_asked_for(prompt)
            return json.dumps({"texts": [self._write(label, number) for number in range(1, 6)]})
        if "proposals" in schema:
            side = {"is": "what the rule says", "is_not": "what only looks like it"}
            proposals = [{"first": side | {"is": f"rule {number}"}, "second": side} for number in (1, 2)]
            return json.dumps({"proposals": proposals})
        label = self._answer(text_of(prompt))
        match kind:
            case "refusal":
                return ""
            case "max_tokens":
                return '{"label": "' + label[:2]
            case "sentence":
                return f"I would say that this one is {label}, all in all."
            case "wrong case":
                return label.swapcase()
            case "outside the set":
                label = "none of these"
            case "other language":
                label = self._translate(label)
        if "labels" in schema:
            return json.dumps({"labels": joined_labels.split(label), "confidence": 0.9}, ensure_ascii=False)
        return json.dumps({"label": label, "confidence": 0.9}, ensure_ascii=False)


def _label_asked_for(prompt: str) -> str:
    """The label, or the joined labels, that a writing prompt asks texts of."""
    if found := _ASKED_LABEL.search(prompt):
        return found.group(1)
    if several := _ASKED_LABELS.search(prompt):
        return joined_labels.joined(re.findall(r'"(.*?)"', several.group(1) or ""))
    return "text"


def prompt_of(body: Body) -> str:
    """The text of the last turn."""
    return text_in(body["messages"][-1]["content"])


def schema_of(body: Body) -> Mapping[str, Any]:
    """The properties an answer is held to, in either protocol; empty when it is not."""
    held = body.get("output_config", {}).get("format") or body.get("response_format", {}).get("json_schema") or {}
    properties = held.get("schema", {}).get("properties", {})
    return properties if isinstance(properties, dict) else {}


def counted_tokens(body: Body, asked: Usage, form: Form) -> int:
    """What a request takes from the limit of input tokens when it begins (`Limits`)."""
    if form == "anthropic":
        return asked.input_tokens - asked.cached_tokens
    return asked.input_tokens + int(body.get("max_tokens") or body.get("max_completion_tokens") or 0)


def message_reply(body: Body, said: Said, *, message_id: str, service_tier: str = "standard") -> dict[str, Any]:
    """The answer as the Messages API gives it: anthropic.types.Message."""
    usage = said.usage
    return {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": [{"type": "text", "text": said.text}] if said.text else [],
        "stop_reason": said.stop_reason,
        "stop_sequence": None,
        "usage": {
            "input_tokens": usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens,
            "cache_read_input_tokens": usage.cached_tokens,
            "cache_creation_input_tokens": usage.cache_write_tokens,
            "output_tokens": usage.output_tokens,
            "service_tier": service_tier,
        },
    }


def chat_completion(body: Body, said: Said, *, message_id: str) -> dict[str, Any]:
    """The answer as a chat completions server gives it."""
    finish = {"end_turn": "stop", "max_tokens": "length", "refusal": "content_filter"}[said.stop_reason]
    usage = said.usage
    return {
        "id": f"chatcmpl-{message_id}",
        "object": "chat.completion",
        "model": body["model"],
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": said.text},
                "logprobs": scripted_logprobs(body, said.text) if body.get("logprobs") else None,
                "finish_reason": finish,
            }
        ],
        "usage": {
            "prompt_tokens": usage.input_tokens,
            "completion_tokens": usage.output_tokens,
            "total_tokens": usage.input_tokens + usage.output_tokens,
            "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        },
    }


def scripted_logprobs(body: Body, text: str) -> dict[str, Any]:
    """A choice's log-probabilities, token by token: the label's own first token has 0.6, every other label's 0.2.

    A token is a word or a sign; all others are certain. Others than the chosen one are told as far as `top_logprobs`.
    """
    most = int(body.get("top_logprobs") or 0)
    labels = [str(label) for label in schema_of(body).get("label", {}).get("enum", ())]
    found = re.search(r'"label"\s*:\s*"', text)
    content = []
    for token in _TOKEN.finditer(text):
        likely = {token.group(): 0.0}
        if found is not None and token.start() == found.end():
            others = {_TOKEN.findall(label)[0] for label in labels} - {token.group()}
            likely = {token.group(): math.log(0.6)} | dict.fromkeys(sorted(others), math.log(0.2))
        told = [_told(one, logprob) for one, logprob in likely.items()]
        content.append(told[0] | {"top_logprobs": told[:most]})
    return {"content": content}


def _told(token: str, logprob: float) -> dict[str, Any]:
    return {"token": token, "bytes": list(token.encode()), "logprob": logprob}
