"""Thoughts told from the answer they lead to. What a model considered on its way is never what it answered.

Servers that know their model take its thoughts out of the content; all others pass them on in the model's own marks.
"""

from __future__ import annotations

import json
import re

_WORDS = r"(?:think|thinking|thoughts?|reasoning|reflection|scratchpad|analysis|cot|inner_monologue)"
_OPEN = re.compile(
    rf"<(?:[\w-]+:)?{_WORDS}\s*>|<\|\s*(?:begin_of_thought|start_thinking|thinking|think)\s*\|>"
    r"|\u25c1think\u25b7|\[think\]|<unused94>",  # Kimi, Magistral, MedGemma
    re.IGNORECASE,
)
_CLOSE = re.compile(
    rf"</\s*(?:[\w-]+:)?{_WORDS}\s*>|<\|\s*(?:end_of_thought|end_thinking|/thinking|/think)\s*\|>"
    r"|\u25c1/think\u25b7|\[/think\]|<unused95>",
    re.IGNORECASE,
)
# gpt-oss speaks in channels; where a server drops its control tokens, only the words between them are left.
_FINAL_CHANNEL = re.compile(
    r"<\|channel\|>\s*final\b[^<]*(?:<\|constrain\|>[^<]*)?<\|message\|>|^analysis.*?assistantfinal", re.DOTALL
)
_OTHER_CHANNEL = re.compile(r"<\|channel\|>\s*(?:analysis|commentary)\b")
_CHANNEL_END = re.compile(r"<\|(?:end|return|start|call)\|>.*", re.DOTALL)
_PROSE = re.compile(  # Granite
    r"^\s*here(?:'s| is) my thought process:.*?here(?:'s| is) my response:\s*", re.DOTALL | re.IGNORECASE
)
_ANSWER = re.compile(
    r"<(answer|response|solution|output)\s*>(.*?)(?:</\s*\1\s*>|$)"
    r"|<\|\s*(?:begin_of_solution|start_response)\s*\|>(.*?)(?:<\|\s*(?:end_of_solution|end_response)\s*\|>|$)",
    re.DOTALL | re.IGNORECASE,
)


def answer_in(text: str) -> str:
    """`text` without its thoughts and without a frame around the answer; empty where there are only thoughts.

    Thoughts stand between their marks, before an end mark whose beginning the server kept to itself, or after a
    beginning that has no end. A text that is one JSON object is an answer, whatever its strings say.
    """
    if _is_answer_as_json(text):
        return text.strip()
    left = _after_channels(_PROSE.sub("", text))
    left = _outside_thought_marks(left)
    framed = list(_ANSWER.finditer(left))
    if framed:
        left = next(group for group in framed[-1].groups()[1:] if group is not None)
    return left.strip()


def thinks(text: str) -> bool:
    """Whether thoughts stand in a text."""
    return answer_in(text) != text.strip() and not _ANSWER.search(text)


def _after_channels(text: str) -> str:
    found = list(_FINAL_CHANNEL.finditer(text))
    if found:
        return _CHANNEL_END.sub("", text[found[-1].end() :])
    return "" if _OTHER_CHANNEL.search(text) else text


def _outside_thought_marks(text: str) -> str:
    kept, position = "", 0
    while True:
        begin, end = _OPEN.search(text, position), _CLOSE.search(text, position)
        if end is not None and (begin is None or end.start() < begin.start()):
            kept, position = "", end.end()  # only its end is here: all before it was thought
        elif begin is None:
            return kept + text[position:]
        else:
            kept += text[position : begin.start()]
            after = _CLOSE.search(text, begin.end())
            if after is None:
                return kept
            position = after.end()


def _is_answer_as_json(text: str) -> bool:
    """Whether a text is one JSON object: then no part of it is a thought."""
    if not text.lstrip().startswith("{"):
        return False
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
