"""The only reply parser. An unusable reply is a value, never an exception: strangers' texts shape what models say."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

from freeal.annotation.prompt_injection import one_line
from freeal.llm.replies.model_thoughts import answer_in
from freeal.text.label_mentions import label_in, node_in
from freeal.types import Outcome, Reply, Status

UNSTATED_CONFIDENCE = 0.5
"""Confidence of a usable answer that states none."""

MOST_CHARACTERS = 100_000
_MOST_REMEMBERED_CHARACTERS, _READINGS_KEPT = 200, 4096
"""Short replies say the same over and over, and each is read twice: a label, a confidence."""
_MOST_OBJECTS_TRIED = 50
_MOST_RULE_CHARACTERS = 400
_FENCE = re.compile(r"^```[a-zA-Z]*\s*\n?|\n?```\s*$")
BULLET = re.compile(r"^\s*(?:[-*\u2022]|\(?\d{1,3}[.):])\s+")
_TAG = re.compile(r"</?\s*text\s*>", re.IGNORECASE)
_ANOTHER_ROW = re.compile(r"<text>|\n(?:Input|Label of this text):")
"""Where a model that does not know when to stop goes on with a row of its own making."""

_WRAPPERS = frozenset({"answer", "response", "result", "output", "parameters", "arguments", "input", "data", "json"})
_FEWEST_WORDS_BETWEEN = 3
"""Between a draft and the answer that takes its place; with less, two labels are offered side by side."""


Side = tuple[str, str]
"""Of a proposed rule, for one label: what it is, and what it is not; "" where it says nothing."""


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """What a reply says: `label` is one of the labels asked for, or None with the reason in `status`; `alternatives`
    are other labels it names, `probabilities` what it gives each of the labels asked for, in their order, or None.
    `branch` is what it names in place of a label where the labels are a tree."""

    label: str | None
    confidence: float
    status: Status
    alternatives: tuple[str, ...] = ()
    probabilities: tuple[float, ...] | None = None
    branch: str | None = None

    @property
    def is_answer(self) -> bool:
        """Whether it names a label, or a branch above labels."""
        return self.label is not None or self.branch is not None


def read_reply(reply: Reply, labels: Sequence[str], branches: Sequence[str] = ()) -> Reading:
    """The label a written reply gives.

    Taken from what is no thought (freeal/llm/replies/model_thoughts.py), in this order: a JSON object with `label` (and
    `confidence`, unless the server told the label's probability), of several the last, where words lead from one to the
    next; the bare label in any case, its words set apart by spaces, underscores, hyphens or capitals, quoted or after
    "Label:"; the one label that a sentence mentions. Of names that contain each other the longest one said counts. Two
    labels mentioned, a negated one or none: INVALID_ANSWER. A refusal is REFUSED; a reply that was cut off counts only
    if it begins with a whole JSON object. Where the labels are a tree, one of `branches` above them is an answer too,
    and a name that only one node has stands for its path. Never raises.
    """
    if len(reply.text) > _MOST_REMEMBERED_CHARACTERS:
        return _reading_of_reply(reply, labels, branches)
    return _remembered(reply.text, reply.outcome, reply.label_probability, tuple(labels), tuple(branches))


@functools.lru_cache(maxsize=_READINGS_KEPT)
def _remembered(
    text: str, outcome: Outcome, probability: float | None, labels: tuple[str, ...], branches: tuple[str, ...]
) -> Reading:
    return _reading_of_reply(Reply(text=text, outcome=outcome, label_probability=probability), labels, branches)


def _reading_of_reply(reply: Reply, labels: Sequence[str], branches: Sequence[str]) -> Reading:
    if reply.outcome == "refused":
        return Reading(None, 0.0, Status.REFUSED)
    text = answer_in(reply.text[:MOST_CHARACTERS])
    cut_off = reply.outcome == "cut_off"
    answer = _first_word(text) if cut_off else _last_word(text)
    if answer is not None:
        label, branch = node_in(str(answer["label"]), labels, branches)
        if label is None and branch is None:
            return Reading(None, 0.0, Status.INVALID_ANSWER)
        others = _alternatives(answer.get("alternatives"), labels, beside=label)
        stated = _stated_probabilities(answer.get("probabilities"), labels)
        sure = confidence_in(reply, answer.get("confidence"))
        return Reading(label, sure, Status.OK, others, stated, branch)
    label, branch = (None, None) if cut_off else node_in(text, labels, branches)
    if label is None and branch is None:
        return Reading(None, 0.0, Status.INVALID_ANSWER)
    return Reading(label, UNSTATED_CONFIDENCE, Status.OK, branch=branch)


def read_texts(reply: Reply) -> list[str]:
    """The texts a reply to a writing prompt contains, in order, stripped; empty when there are none. Never raises.

    Taken: a JSON object with `texts`, else one text per line without bullets, numbers, quotes and tags.
    """
    if reply.outcome == "refused":
        return []
    text = answer_in(reply.text[:MOST_CHARACTERS])
    for _, _, answer in objects_in(text):
        texts = answer.get("texts")
        if isinstance(texts, list):
            return [item.strip() for item in texts if isinstance(item, str) and item.strip()]
    if text.lstrip().startswith(("{", "[", "```")):
        return []
    lines = (_TAG.sub("", BULLET.sub("", line)).strip().strip('"').strip() for line in text.splitlines())
    return [line for line in lines if line and not line.endswith(":")]


def read_rules_in_reply(reply: Reply) -> list[tuple[Side, Side]]:
    """Parse a reply for the proposals of a rule that it holds, two at most: for the first and the second label what it
    is and what it is not. Each on one line, shortened, without what could pass for a prompt's own tags. Never
    raises."""
    if reply.outcome == "refused":
        return []
    for _, _, answer in objects_in(answer_in(reply.text[:MOST_CHARACTERS])):
        proposals = answer.get("proposals")
        if isinstance(proposals, list):
            said = [(_side(one.get("first")), _side(one.get("second"))) for one in proposals if isinstance(one, dict)]
            return list(dict.fromkeys(one for one in said if any((*one[0], *one[1]))))[:2]
    return []


def _side(stated: object) -> Side:
    said = stated if isinstance(stated, dict) else {}
    words = [one_line(value) if isinstance(value := said.get(key), str) else "" for key in ("is", "is_not")]
    seen = ["".join(letter for letter in word if letter.isprintable()) for word in words]
    return seen[0][:_MOST_RULE_CHARACTERS], seen[1][:_MOST_RULE_CHARACTERS]


def _last_word(text: str) -> dict[str, Any] | None:
    """The last object with a label; one without a usable `label` where two are offered side by side."""
    found = None
    end = 0
    for start, stop, answer in objects_in(text):
        if "label" not in answer:
            continue
        between = text[end:start]
        if found is not None and _ANOTHER_ROW.search(between):
            break
        differs = found is not None and answer["label"] != found["label"]
        if differs and len(between.split()) < _FEWEST_WORDS_BETWEEN:
            return {"label": ""}
        found, end = answer, stop
    return found


def _first_word(text: str) -> dict[str, Any] | None:
    """The object with a label that a text begins with: any later one may be a draft on the way to what was cut off."""
    start, _, answer = next(iter(objects_in(text)), (-1, 0, {}))
    return answer if "label" in answer and not _FENCE.sub("", text[:start]).strip() else None


def objects_in(text: str) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """The JSON objects in a text and where they stand, in order; one that only wraps another is that other."""
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
            yield position, end, _unwrapped_object(found)
            position = end - 1


def _unwrapped_object(found: dict[str, Any]) -> dict[str, Any]:
    """A call of a tool, or an answer in an envelope, as what it holds."""
    if not found.keys() & {"label", "labels", "texts", "proposals"}:
        for name in found.keys() & _WRAPPERS:
            if isinstance(found[name], dict):
                return dict(found[name])
    return found


def _alternatives(stated: object, labels: Sequence[str], *, beside: str | None) -> tuple[str, ...]:
    said = stated[: len(labels)] if isinstance(stated, list) else []
    found = (label_in(item, labels) for item in said if isinstance(item, str))
    return tuple(dict.fromkeys(label for label in found if label not in (None, beside)))


def _stated_probabilities(stated: object, labels: Sequence[str]) -> tuple[float, ...] | None:
    """Of sum 1, from a list of {label, probability} or from label: probability; None where it holds no such thing. What
    is missing to 1 is shared by the labels that were not named."""
    if isinstance(stated, dict):
        pairs = list(stated.items())
    elif isinstance(stated, list):
        pairs = [(one.get("label"), one.get("probability")) for one in stated if isinstance(one, dict)]
    else:
        return None
    found: dict[str, float] = {}
    for name, value in pairs[: 2 * len(labels)]:
        label = label_in(name, labels) if isinstance(name, str) else None
        if (
            label is not None
            and isinstance(value, int | float)
            and not isinstance(value, bool)
            and math.isfinite(value)
        ):
            found.setdefault(label, max(0.0, float(value)))
    total = sum(found.values())
    if total <= 0.0:
        return None
    if max(found.values()) > 1.0:  # percent
        found, total = {label: value / 100.0 for label, value in found.items()}, total / 100.0
    others = max(0.0, 1.0 - total) / max(1, len(labels) - len(found))
    shares = [found.get(label, others) for label in labels]
    return tuple(share / sum(shares) for share in shares)


def confidence_in(reply: Reply, stated: object) -> float:
    """What the server told of the label, else the confidence that the answer states, 0 to 1."""
    if reply.label_probability is not None:
        return reply.label_probability
    if isinstance(stated, bool) or not isinstance(stated, int | float | str):
        return UNSTATED_CONFIDENCE
    try:
        value = float(stated)
    except (ValueError, OverflowError):
        return UNSTATED_CONFIDENCE
    if not math.isfinite(value) or value < 0.0 or value > 100.0:
        return UNSTATED_CONFIDENCE
    return value if value <= 1.0 else value / 100.0
