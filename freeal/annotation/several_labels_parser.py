"""Reads replies that name several labels, or none. An unusable reply is a value, never an exception, as in
reply_parser.py."""

from __future__ import annotations

import re
from collections.abc import Sequence

from freeal.annotation.reply_parser import (
    BULLET,
    MOST_CHARACTERS,
    UNSTATED_CONFIDENCE,
    Reading,
    confidence_in,
    objects_in,
)
from freeal.llm.replies.model_thoughts import answer_in
from freeal.text import joined_labels
from freeal.text.label_mentions import EDGES, label_in
from freeal.text.label_names import folded
from freeal.types import Reply, Status

_BETWEEN = re.compile(r"[,;\n]+")
_LEAD_IN = re.compile(r"^(?:the\s+)?(?:labels|answers?|classes|categories)(?:\s+are)?\s*[:=-]\s*", re.IGNORECASE)
_NO_LABEL = frozenset({"", "none", "none of these", "none of the above", "no label", "no labels", "nothing"})


def read_several_labels(reply: Reply, labels: Sequence[str]) -> Reading:
    """The labels a written reply gives, joined in the order of `labels` (freeal/text/joined_labels.py).

    Taken, in this order: a JSON object with `labels`, a list of names or names in one string (the last of several
    objects); names alone, apart by commas, semicolons or lines; words for none. A name that is no label makes the whole
    reply INVALID_ANSWER: the others would pass for all there are. A reply that was cut off counts only where it begins
    with a whole object. Never raises.
    """
    if reply.outcome == "refused":
        return Reading(None, 0.0, Status.REFUSED)
    text = answer_in(reply.text[:MOST_CHARACTERS])
    found = [answer for _, _, answer in objects_in(text) if answer.keys() & {"labels", "label"}]
    if found:
        answer = found[0] if reply.outcome == "cut_off" else found[-1]
        names = _label_names_in(answer.get("labels", answer.get("label")), labels)
        confidence = confidence_in(reply, answer.get("confidence"))
    elif reply.outcome == "cut_off" or "{" in text or not text.strip():
        names, confidence = None, 0.0
    else:
        names, confidence = _label_names_in(_LEAD_IN.sub("", text.strip()), labels), UNSTATED_CONFIDENCE
    if names is None:
        return Reading(None, 0.0, Status.INVALID_ANSWER)
    return Reading(joined_labels.in_order(names, labels), confidence, Status.OK)


def _label_names_in(stated: object, labels: Sequence[str]) -> list[str] | None:
    """The labels named in a list, or in words; None where anything in it is no label."""
    if isinstance(stated, str):
        whole = next((label for label in labels if folded(label) == folded(stated.strip())), None)
        parts = [stated] if whole is not None else [part for part in _BETWEEN.split(stated) if part.strip(EDGES)]
    elif isinstance(stated, list) and all(isinstance(part, str) for part in stated):
        parts = list(stated)
    else:
        return None
    said = [part for part in parts if part in labels or folded(part.strip(EDGES)) not in _NO_LABEL]
    names = [label_in(BULLET.sub("", part), labels) for part in said]
    known = [name for name in names if name is not None]
    return known if len(known) == len(names) else None
