"""How sure a model was of the label it wrote, from the log-probabilities of the tokens it wrote it with.

A model's stated confidence is a round number that it writes after the label, and small models write the same one
everywhere; the tokens' probabilities are what it chose by, and put the rows into an order.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

MOST_ALTERNATIVES = 5
"""How many other tokens to ask for at each place: the labels that come into question begin with a few of them."""

_BEFORE_LABEL = re.compile(rb'"label"\s*:\s*"')


@dataclasses.dataclass(frozen=True, slots=True)
class _Token:
    start: int
    text: bytes
    logprob: float
    others: tuple[tuple[bytes, float], ...]


def label_probability(choice: Mapping[str, Any], labels: Sequence[str]) -> float | None:
    """The probability (0..1) of the label in a chat completion's choice, among those of `labels`.

    `choice["logprobs"]["content"]` has one entry per token, with the likeliest tokens at its place in `top_logprobs`.
    Token by token the label's probability is divided by that of all tokens which lead to some label: servers tell the
    probabilities from before the answer was held to a schema. Where no others are told it is the product of the
    tokens' own. None where there are no log-probabilities, or they hold no label of these. Raises the errors of a
    malformed reply: `KeyError`, `TypeError`, `ValueError`, `AttributeError`.
    """
    tokens = _tokens_with_logprobs((choice.get("logprobs") or {}).get("content") or ())
    written = b"".join(token.text for token in tokens)
    # Not in the message's content: servers take fences and thoughts out of that.
    places = list(_BEFORE_LABEL.finditer(written))
    if not places:
        return None
    found = places[-1]  # the others stand in drafts
    # With its closing quote, or "good" could not be told from "good enough".
    by_label = {label: json.dumps(label, ensure_ascii=False)[1:].encode() for label in labels}
    chosen = next((text for text in by_label.values() if written.startswith(text, found.end())), None)
    if chosen is None:
        return None
    begin, end = found.end(), found.end() + len(chosen)
    probability = 1.0
    for token in tokens:
        if begin < token.start + len(token.text) and token.start < end:
            probability *= _share_of_label_at_token(
                token, written, begin=begin, chosen=chosen, answers=list(by_label.values())
            )
    return probability


def _share_of_label_at_token(
    token: _Token, written: bytes, *, begin: int, chosen: bytes, answers: Sequence[bytes]
) -> float:
    """Of all that is likely at a token's place and leads to some answer, what part leads to the chosen one."""
    if not token.others:
        return math.exp(token.logprob)
    base = min(begin, token.start)
    before, lead = written[base : token.start], written[base:begin]
    chances = {token.text: token.logprob} | dict(token.others)
    to_chosen = to_any = 0.0
    for text, logprob in chances.items():
        probability = math.exp(logprob)
        to_chosen += probability * _leads(before + text, lead + chosen)
        to_any += probability * any(_leads(before + text, lead + answer) for answer in answers)
    return to_chosen / to_any if to_any > 0.0 else 0.0


def _leads(written: bytes, answer: bytes) -> bool:
    return answer.startswith(written) or written.startswith(answer)


def _tokens_with_logprobs(entries: Sequence[Mapping[str, Any]]) -> list[_Token]:
    tokens, start = [], 0
    for entry in entries:
        text = _text(entry)
        others = tuple((_text(other), _logprob(other)) for other in entry.get("top_logprobs") or ())
        tokens.append(_Token(start, text, _logprob(entry), others))
        start += len(text)
    return tokens


def _text(entry: Mapping[str, Any]) -> bytes:
    """A token's bytes: it may be part of a character, which only `bytes` can say."""
    told = entry.get("bytes")
    return str(entry["token"]).encode() if told is None else bytes(told)


def _logprob(entry: Mapping[str, Any]) -> float:
    # OpenAI gives -9999.0 for "unlikely"; a rounding error above 0 would make a probability above 1.
    return min(0.0, float(entry["logprob"]))
