"""The label that a text is or mentions, however a model or a person writes it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

from freeal.text import label_paths
from freeal.text.label_names import folded

_LEAD_IN = re.compile(r"^(?:the\s+)?(?:final\s+)?(?:label|answer|class|category)(?:\s+is)?\s*[:=-]?\s+", re.IGNORECASE)
EDGES = " \t\r\n\"'`*_.,;:!?()[]{}<>\u2018\u2019\u201c\u201d\u00ab\u00bb"
_NEGATION = re.compile(
    r"(?:\bnot|\bno|\bnever|\bneither|\bnor|n't|n\u2019t|\brather than|\binstead of)\s+(?:an?\s+|the\s+)?[\"'`*]*$"
)
_SEPARATORS = re.compile(r"(?<=[^\W_])[\s_-]+(?=[^\W_])")
_CAMEL_CASE = re.compile(r"(?<=[^\W\d_A-Z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def node_in(text: str, labels: Sequence[str], branches: Sequence[str]) -> tuple[str | None, str | None]:
    """The label a text gives, or else the branch."""
    if not branches:
        return label_in(text, labels), None
    node = label_paths.find_node(text, tuple(labels))
    if node is None:
        ways = label_paths.ways_to_say(labels)
        node = ways.get(label_in(text, list(ways)) or "")
    return (None, node) if node in branches else (node, None)


def label_in(text: str, labels: Sequence[str]) -> str | None:
    """The one label that a text is, or names; None where it names none, several, or denies it."""
    if text in labels:
        return text
    stripped = text.strip(EDGES)
    bare = _LEAD_IN.sub("", stripped)
    for key_of in (folded, _joined):
        by_key = _labels_by_key(labels, key_of)
        for said in (text, stripped, bare, bare.strip(EDGES)):
            if found := by_key.get(key_of(said)):
                return _only_verbatim_label(found, text)
    return _mentioned_label(text, labels)


def _labels_by_key(labels: Sequence[str], key_of: Callable[[str], str]) -> dict[str, list[str]]:
    by_key: dict[str, list[str]] = {}
    for label in labels:
        by_key.setdefault(key_of(label), []).append(label)
    by_key.pop("", None)
    return by_key


def _mentioned_label(text: str, labels: Sequence[str]) -> str | None:
    by_key = _labels_by_key(labels, _joined)
    # Longest first, so that "very good" is not also a mention of "good".
    groups = [by_key[key] for key in sorted(by_key, key=len, reverse=True)]
    if not groups:
        return None
    spellings = "|".join(
        "(" + "|".join(sorted({_spelling_pattern(label) for label in group})) + ")" for group in groups
    )
    # Part of a longer word or number is no mention ("non-toxic", "-1", "C++"). Looked for at every place, for mentions
    # may overlap: "card payment fee" is not simply a mention of "card payment" where "payment fee" is a label, too.
    pattern = re.compile(rf"(?<![\w+-])(?=(?:{spellings})(?![\w+#])(?!-\w))")
    plain = folded(text)
    end, said = 0, set()
    for match in pattern.finditer(plain):
        group = match.lastindex or 0
        if match.end(group) <= end:  # within a longer one
            continue
        end = match.end(group)
        if _NEGATION.search(plain, max(0, match.start() - 30), match.start()):
            return None
        said.add(group)
    return _only_verbatim_label(groups[said.pop() - 1], text) if len(said) == 1 else None


def _spelling_pattern(label: str) -> str:
    """A pattern of the ways a label may be written in folded text."""
    words = _SEPARATORS.split(unicodedata.normalize("NFKC", label))
    return r"[\s_-]+".join(
        r"[\s_-]*".join(re.escape(folded(part)) for part in _CAMEL_CASE.split(word)) for word in words
    )


def _only_verbatim_label(candidates: list[str], text: str) -> str | None:
    """Of labels that differ in case or separators only, the one that stands in the text as written."""
    if len(candidates) == 1:
        return candidates[0]
    verbatim = [label for label in candidates if label in text]
    return verbatim[0] if len(verbatim) == 1 else None


def _joined(text: str) -> str:
    """Folded, without what sets words apart: a model may write `card_payment` as "Card Payment" or "cardPayment"."""
    return _SEPARATORS.sub("", folded(text))
