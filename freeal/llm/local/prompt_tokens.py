"""Prompts as tokens that fit a model: what is cut, in which order, and how a label continues a prompt.

It relies on the form of the completion prompts (freeal/annotation/prompts.py): blocks set apart by blank lines, the row
in the last one, the question ("Output:") in the last line."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from freeal.text.long_text_shortening import GAP, HEAD_SHARE
from freeal.types import Prompt

_LONGEST_TOKEN_CHARACTERS = 128


@dataclasses.dataclass(frozen=True, slots=True)
class Fitted:
    """A prompt's tokens; `truncated` says its row lost text, not merely demonstrations."""

    tokens: list[int]
    truncated: bool


class Fitter:
    """Tokenizes prompts for one model.

    A row of more than `row_tokens` tokens keeps three quarters of them from its beginning and one from its end. Where a
    prompt is still longer than `prompt_tokens`, demonstrations go,
    those farthest from the row first; where that is not enough, the beginning of the task goes.
    """

    def __init__(self, tokenizer: Any, *, prompt_tokens: int, row_tokens: int) -> None:
        self._tokenizer = tokenizer
        self._prompt_tokens = prompt_tokens
        self._row_tokens = row_tokens
        with_special, plain = tokenizer("a").input_ids, self._plain(["a"])[0]
        self._start: list[int] = with_special[: len(with_special) - len(plain)]
        if with_special[len(self._start) :] != plain:
            self._start = []

    def fit_prompts(self, prompts: Sequence[Prompt]) -> list[Fitted]:
        """Tokens of each prompt, in order."""
        rows = [self._shorten_row_to_tokens(prompt.specific) for prompt in prompts]
        texts = [prompt.system + prompt.shared + row for prompt, (row, _) in zip(prompts, rows, strict=True)]
        fitted = []
        for text, tokens, (_, truncated) in zip(texts, self._plain(texts), rows, strict=True):
            room = self._prompt_tokens - len(self._start)
            kept = tokens if len(tokens) <= room else self._without_demonstrations(text, room)
            fitted.append(Fitted([*self._start, *kept] or [self._tokenizer.eos_token_id or 0], truncated))
        return fitted

    def continuations(self, labels: Sequence[str], ending: str) -> list[list[int]]:
        """The tokens each label adds to a prompt that ends with `ending`."""
        before = self._plain([ending])[0]
        return [self._label_tokens_after(label, ending, before) for label in labels]

    def _label_tokens_after(self, label: str, ending: str, before: list[int]) -> list[int]:
        # Tokenized together with what stands before it: alone, some tokenizers put a word mark in front of any text.
        joined = self._plain([f"{ending} {label}"])[0]
        if joined[: len(before)] == before and len(joined) > len(before):
            return joined[len(before) :]
        return self._plain([f" {label}"])[0]

    def _plain(self, texts: Sequence[str]) -> list[list[int]]:
        # A row that spells a control token like <|im_end|> means those characters, not the token.
        encoded = self._tokenizer(list(texts), add_special_tokens=False, split_special_tokens=True, verbose=False)
        ids: list[list[int]] = encoded.input_ids
        return ids

    def _shorten_row_to_tokens(self, specific: str) -> tuple[str, bool]:
        before, gap, block = specific.rpartition("\n\n")
        row, line, ending = block.rpartition("\n")
        if len(row.encode()) <= self._row_tokens:  # a token covers one byte at least
            return specific, False
        most = self._row_tokens * _LONGEST_TOKEN_CHARACTERS
        tokens = self._plain([row if len(row) <= 2 * most else row[:most] + row[-most:]])[0]
        if len(tokens) <= self._row_tokens:
            return specific, False
        head = round(HEAD_SHARE * self._row_tokens)
        kept = [tokens[:head], tokens[head - self._row_tokens :]]
        first, last = self._tokenizer.batch_decode(kept, clean_up_tokenization_spaces=False)
        return f"{before}{gap}{first.rstrip('�')}{GAP}{last.lstrip('�')}{line}{ending}", True

    def _without_demonstrations(self, text: str, room: int) -> list[int]:
        *blocks, last = text.split("\n\n")
        question = "\n" + last.rpartition("\n")[2]
        sizes = [len(tokens) for tokens in self._plain([f"{block}\n\n" for block in blocks])] if blocks else []
        excess = sum(sizes) + len(self._plain([last])[0]) - room
        kept = []
        for block, size in zip(blocks, sizes, strict=True):
            if excess > 0 and question in block:
                excess -= size
            else:
                kept.append(block)
        return self._plain(["\n\n".join([*kept, last])])[0][-room:]
