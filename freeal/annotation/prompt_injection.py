"""A row's text made harmless for a prompt: whatever it says, it cannot open or close the frame it stands in.

A bracket that begins one of our tags, or a control token of a chat template, becomes a round one, in whatever spelling:
other case, blanks, zero-width characters, full-width or look-alike letters, character references. Nothing else changes.
"""

from __future__ import annotations

import re
import unicodedata

_OPENING = r"(?P<bracket><|&lt;?|&#0*60;?|&#x0*3c;?|\\u003c|\\x3c|%3c)"
_CONTROL = re.compile(
    rf"{_OPENING}(?=[\s/\\|]*text(?![a-z0-9])"  # our frame
    r"|\s*[|\uff5c]"  # <|im_start|> and its kin
    r"|[\s/]*(?:s|bos|eos|pad|unk|think|system|assistant|user|human)\s*>"
    r"|[\s/]*[a-z]+(?:_[a-z]+)+\s*>"  # <start_of_turn>, <file_sep>
    r"|<\s*/?\s*sys\s*>)"
    r"|(?P<square>\[)(?=\s*/?\s*(?:inst|system_prompt|tool_calls|available_tools)\s*\])"
)

# Unicode's confusables (UTS #39) for what our tag is made of; compatibility forms are folded by NFKC.
_LOOKALIKES = {
    **dict.fromkeys("\u2039\u27e8\u3008\u276e\u02c2\u1438\u00ab\u226a\u22d6\u2770\u29fc\U00016f3f", "<"),
    **dict.fromkeys("\u203a\u27e9\u3009\u276f\u02c3\u1433\u00bb\u226b\u22d7\u2771\u29fd", ">"),
    **dict.fromkeys("\u2044\u2215\u29f8\u2571\u27cb\u3033\u2cc6", "/"),
    **dict.fromkeys("\u0442\u03c4\u1d1b\u13a2\u22a4\u27d9\u0422\u03a4\u0163\u021b\u0165\u0167", "t"),
    **dict.fromkeys("\u0435\u03b5\u1d07\u212e\u212f\u13ac\u0415\u0395\u0451\u0454\u04bd", "e"),
    **dict.fromkeys("\u0445\u03c7\u0425\u03a7\u157d\u166e\u2573\u292b\u292c\u00d7\u2a2f\u04b3", "x"),
    **dict.fromkeys("\u01c0\u2223\u2502\u23ae\u2758\uff5c", "|"),
}
_UNSEEN = frozenset({"Cf", "Mn", "Me", "Cc"})


def harmless(text: str) -> str:
    """`text` without anything that could pass for the prompt's own tags; half surrogate pairs become `?`."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    folded, places = _folded_with_places(text)
    found = [match.span("bracket" if match["bracket"] else "square") for match in _CONTROL.finditer(folded)]
    for first, last in reversed(found):
        end = len(text) if last >= len(places) else places[last]
        # what is unseen between the bracket and what follows stays where it was
        text = f"{text[: places[first]]}({text[min(end, places[last - 1] + 1) :]}"
    return text


def one_line(text: str) -> str:
    """`harmless` text without any line break, for prompts in which a line is the frame."""
    return " ".join(harmless(text).split())


def _folded_with_places(text: str) -> tuple[str, list[int]]:
    """How `text` looks to a careless reader, in lower case, and where in `text` each of its characters came from."""
    if text.isascii() and text.isprintable():
        return text.lower(), list(range(len(text)))
    letters: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        if not character.isspace() and unicodedata.category(character) in _UNSEEN:
            continue
        look = _LOOKALIKES.get(character) or unicodedata.normalize("NFKD", character).casefold()
        for letter in look:
            if unicodedata.category(letter) not in _UNSEEN:
                letters.append(_LOOKALIKES.get(letter, letter))
                places.append(place)
    return "".join(letters), places
