"""What a student reads of a text: all of a short one; of a long one the beginning, or the beginning and the end.

A tokenizer works through all of what it is given before it cuts, half a minute for ten megabytes: so a long text is cut
by characters first, generously, and given more of where that was too little.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from freeal.compute.quiet_transformers import quiet_transformers
from freeal.errors import ConfigError
from freeal.settings import LongTexts
from freeal.student.model_folder import student_metadata
from freeal.student.protocols import ReadText
from freeal.types import TFIDF

HEAD_SHARE = 0.75
"""Part of a long text's tokens that comes from its beginning, with `head_tail` (Sun et al., How to Fine-Tune BERT for
Text Classification?, 2019, took 128 of 510)."""

_CHARACTERS_PER_TOKEN = 16
"""Four times what English takes. Blanks and endless words may take more, and get it up to:"""
_MOST_CHARACTERS_PER_TOKEN = 256
_CHUNK_TEXTS = 1_000
_PROBES = ("a", "the", "1")


class Reader:
    """Texts as token ids with a model's special ones, at most `max_length` each."""

    def __init__(self, tokenizer: Any, *, max_length: int, long_texts: LongTexts) -> None:
        self._tokenizer = tokenizer
        self._before, self._after = _special_tokens_around(tokenizer)
        room = max(1, max_length - len(self._before) - len(self._after))
        tail = room - round(HEAD_SHARE * room) if long_texts == "head_tail" else 0
        self._head, self._tail = room - tail, tail

    def is_surely_whole(self, text: str) -> bool:
        """Whether a text is so short that it need not be read to know that nothing of it is left out: of ASCII no
        tokenizer makes more tokens than characters, and one for the beginning."""
        return len(text) < self._head + self._tail and text.isascii()

    def read(self, texts: Sequence[str]) -> list[ReadText]:
        """Each text as it is read, in order, and whether that is not all of it."""
        found: list[ReadText] = []
        for start in range(0, len(texts), _CHUNK_TEXTS):
            found += self._truncate_texts(texts[start : start + _CHUNK_TEXTS])
        return found

    def _truncate_texts(self, texts: Sequence[str]) -> list[ReadText]:
        room = self._head + self._tail
        generous = room * _CHARACTERS_PER_TOKEN
        whole = self._tokens([text if len(text) <= generous else "" for text in texts])
        read = []
        for text, tokens in zip(texts, whole, strict=True):
            if len(text) <= generous:
                head, tail, cut = tokens[: self._head], tokens[len(tokens) - self._tail :], len(tokens) > room
                kept = [*head, *tail] if cut else tokens
            else:
                kept, cut = self._ends_of_long_text(text)
            read.append(ReadText([*self._before, *kept, *self._after], cut))
        return read

    def _ends_of_long_text(self, text: str) -> tuple[list[int], bool]:
        """Tokens of a very long text, without tokenizing its middle."""
        head, used = self._enough_tokens(self._head, lambda size: _until_blank(text[:size]), longest=len(text))
        tail: list[int] = []
        if self._tail:
            tail, behind = self._enough_tokens(self._tail, lambda size: _from_blank(text[-size:]), longest=len(text))
            used += behind
        if len(head) < self._head or len(tail) < self._tail or used >= len(text):  # few tokens: is that all of it?
            most = 2 * _MOST_CHARACTERS_PER_TOKEN * (self._head + self._tail)
            whole = self._tokens([text[:most]])[0]
            if len(text) <= most and len(whole) <= self._head + self._tail:
                return whole, False
        return [*head[: self._head], *tail[max(0, len(tail) - self._tail) :]], True

    def _enough_tokens(self, wanted: int, part: Callable[[int], str], *, longest: int) -> tuple[list[int], int]:
        """The tokens of a part of so many characters that there are as many as `wanted`, and how many it took."""
        size, most = wanted * _CHARACTERS_PER_TOKEN, min(wanted * _MOST_CHARACTERS_PER_TOKEN, longest)
        while len(tokens := self._tokens([part(size)])[0]) < wanted and size < most:
            size *= 2
        return tokens, size

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        found = self._tokenizer(
            list(texts), add_special_tokens=False, truncation=False, return_attention_mask=False, verbose=False
        )
        return list(found["input_ids"])


def truncated_texts(folder: Path, texts: Sequence[str]) -> frozenset[int]:
    """Positions of the texts that truncation cuts: those of which the student saved in `folder` reads a part only.
    Needs its tokenizer alone; one of words reads all; of a student of another kind nothing is known, and none is named.

    Raises `ModelFolderError` where the folder is damaged.
    """
    known = student_metadata.read_card(folder)
    if known.mode in (student_metadata.OWN, TFIDF):
        return frozenset()
    from transformers import AutoTokenizer

    with quiet_transformers():
        tokenizer = AutoTokenizer.from_pretrained(folder, use_fast=True, local_files_only=True, trust_remote_code=False)
    reader = Reader(tokenizer, max_length=known.max_length, long_texts=known.long_texts)
    unsure = [place for place, text in enumerate(texts) if not reader.is_surely_whole(text)]
    found: set[int] = set()
    for first in range(0, len(unsure), _CHUNK_TEXTS):  # the tokens of a large pool take more than its texts
        places = unsure[first : first + _CHUNK_TEXTS]
        read = reader.read([texts[place] for place in places])
        found.update(place for place, one in zip(places, read, strict=True) if one.cut)
    return frozenset(found)


def _until_blank(text: str) -> str:
    """Without the word that was cut off, if there is another one."""
    return text[: max(text.rfind(" "), text.rfind("\n"))] if text.strip().count(" ") else text


def _from_blank(text: str) -> str:
    return text[min(at for at in (text.find(" "), text.find("\n")) if at >= 0) :] if text.strip().count(" ") else text


def _special_tokens_around(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The special tokens a model wants before and behind a text."""
    for probe in _PROBES:
        framed, bare = (
            list(tokenizer(probe)["input_ids"]),
            list(tokenizer(probe, add_special_tokens=False)["input_ids"]),
        )
        for start in range(len(framed) - len(bare) + 1):
            if bare and framed[start : start + len(bare)] == bare:
                return framed[:start], framed[start + len(bare) :]
    raise ConfigError("student.model: its tokenizer does not frame texts with special tokens; use another encoder")
