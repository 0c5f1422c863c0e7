"""The only reply parser. An unusable reply is a value, never an exception: strangers' texts shape what models say."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

from freeal.types import Reply, Status

UNSTATED_CONFIDENCE = 0.5
"""Confidence of a usable answer that states none."""

_CUT_OFF = frozenset({"max_tokens", "model_context_window_exceeded", "pause_turn"})
_MOST_CHARACTERS = 100_000
_MOST_OBJECTS_TRIED = 50
_FENCE = re.compile(r"^```[a-zA-Z]*\s*\n?|\n?```\s*$")
_LEAD_IN = re.compile(r"^(?:the\s+)?(?:final\s+)?(?:label|answer|class|category)(?:\s+is)?\s*[:=-]?\s+", re.IGNORECASE)
_EDGES = " \t\r\n\"'`*_.,;:!?()[]{}<>#-\u2018\u2019\u201c\u201d\u00ab\u00bb"
_NEGATION = re.compile(
    r"(?:\bnot|\bno|\bnever|\bneither|\bnor|n't|n\u2019t|\brather than|\binstead of)\s+(?:an?\s+|the\s+)?[\"'`*]*$"
)
_BULLET = re.compile(r"^\s*(?:[-*\u2022]|\(?\d{1,3}[.):])\s+")
_TAG = re.compile(r"</?\s*text\s*>", re.IGNORECASE)


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """What a reply says: `label` is one of the labels asked for, or None with the reason in `status`."""

    label: str | None
    confidence: float
    status: Status


def read(reply: Reply, labels: Sequence[str]) -> Reading:
    """The label a written reply gives.

    Taken, in this order: a JSON object with `label` (and `confidence`); the bare label in any case, quoted or after
    "Label:"; the one label that a sentence mentions. Two labels mentioned, a negated one or none: INVALID_ANSWER. A
    refusal is REFUSED; a reply that was cut off counts only if a whole JSON object stands in it. Never raises.
    """
    if reply.stop_reason == "refusal":
        return Reading(None, 0.0, Status.REFUSED)
    text = reply.text[:_MOST_CHARACTERS]
    for answer in _objects(text):
        if "label" in answer:
            label = _label_in(str(answer["label"]), labels)
            if label is None:
                return Reading(None, 0.0, Status.INVALID_ANSWER)
            return Reading(label, _confidence(answer.get("confidence")), Status.OK)
    label = None if reply.stop_reason in _CUT_OFF else _label_in(text, labels)
    if label is None:
        return Reading(None, 0.0, Status.INVALID_ANSWER)
    return Reading(label, UNSTATED_CONFIDENCE, Status.OK)


def read_texts(reply: Reply) -> list[str]:
    """The texts a reply to a writing prompt contains, in order, stripped; empty when there are none. Never raises.

    Taken: a JSON object with `texts`, else one text per line without bullets, numbers, quotes and tags.
    """
    if reply.stop_reason == "refusal":
        return []
    text = reply.text[:_MOST_CHARACTERS]
    for answer in _objects(text):
        texts = answer.get("texts")
        if isinstance(texts, list):
            return [item.strip() for item in texts if isinstance(item, str) and item.strip()]
    if text.lstrip().startswith(("{", "[", "```")):
        return []
    lines = (_TAG.sub("", _BULLET.sub("", line)).strip().strip('"').strip() for line in text.splitlines())
    return [line for line in lines if line and not line.endswith(":")]


def _objects(text: str) -> Iterator[dict[str, Any]]:
    text = _FENCE.sub("", text.strip())
    decoder = json.JSONDecoder()
    position = -1
    for _ in range(_MOST_OBJECTS_TRIED):
        position = text.find("{", position + 1)
        if position < 0:
            return
        try:
            found, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            yield found
            position = end - 1


def _confidence(stated: object) -> float:
    if isinstance(stated, bool) or not isinstance(stated, int | float | str):
        return UNSTATED_CONFIDENCE
    try:
        value = float(stated)
    except (ValueError, OverflowError):
        return UNSTATED_CONFIDENCE
    if not math.isfinite(value) or value < 0.0 or value > 100.0:
        return UNSTATED_CONFIDENCE
    return value if value <= 1.0 else value / 100.0


def _label_in(text: str, labels: Sequence[str]) -> str | None:
    if text in labels:
        return text
    by_folded: dict[str, list[str]] = {}
    for label in labels:
        by_folded.setdefault(_folded(label), []).append(label)
    for said in (
        _folded(text),
        _folded(text.strip(_EDGES)),
        _folded(_LEAD_IN.sub("", text.strip(_EDGES)).strip(_EDGES)),
    ):
        if said in by_folded:
            return _only(by_folded[said], text)
    return _mentioned(text, by_folded)


def _mentioned(text: str, by_folded: dict[str, list[str]]) -> str | None:
    longest_first = sorted((name for name in by_folded if name), key=len, reverse=True)
    if not longest_first:
        return None
    # Longest first, so that "very good" is not also a mention of "good".
    pattern = re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, longest_first)) + r")(?!\w)")
    folded = _folded(text)
    found = set()
    for match in pattern.finditer(folded):
        if _NEGATION.search(folded, max(0, match.start() - 30), match.start()):
            return None
        found.add(match.group())
    return _only(by_folded[found.pop()], text) if len(found) == 1 else None


def _only(candidates: list[str], text: str) -> str | None:
    """Of labels that differ in case only, the one that stands in the text as written."""
    if len(candidates) == 1:
        return candidates[0]
    verbatim = [label for label in candidates if label in text]
    return verbatim[0] if len(verbatim) == 1 else None


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
