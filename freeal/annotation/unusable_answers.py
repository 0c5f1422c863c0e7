"""Why answers cannot be used, in the words of whoever gave them, and what to do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from freeal.text.printable_text import one_line
from freeal.types import Prompt, Reply

_MOST_SHOWN = 120

_KINDS: Mapping[str, str] = {
    "cut_off": "cut off before the end",
    "empty": "empty",
    "refused": "refused",
    "answer": "without any of the labels",
}
_HINTS: Mapping[str, str] = {
    "cut_off": "let the model think less, or not at all, on its server, or give it more room there (context length); "
    "or name another model",
    "empty": "look at the server: a reasoning parser or a chat template that does not fit the model leaves the content "
    "empty; or let the model think less",
    "refused": "another model, or a filter with other settings, may answer; or label these rows by hand",
    "answer": "make description and labels plainer, or name a larger model",
}


class UnusableAnswers:
    """Counts what came, by kind, and keeps the latest words of each."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._words: dict[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self._counts)

    def add(self, reply: Reply, prompt: Prompt) -> None:
        """One more reply to `prompt` that cannot be used."""
        self._counts[reply.outcome] += 1
        said = reply.words
        if reply.outcome == "answer" and prompt.labels:
            said = _excerpt(reply.text)
        self._words[reply.outcome] = said or self._words.get(reply.outcome, "")

    @property
    def problem(self) -> str:
        """How many of each kind, the most frequent first, each with an example."""
        parts = []
        for kind, count in self._counts.most_common():
            told = f"{count:,} {'reply was' if count == 1 else 'replies were'} {_KINDS[kind]}"
            parts.append(f"{told} ({self._words[kind]})" if self._words[kind] else told)
        return "; ".join(parts)

    @property
    def hint(self) -> str:
        """What to do about the most frequent kind."""
        kind = self._counts.most_common(1)[0][0] if self._counts else "answer"
        return f"{_HINTS[kind]}; `retry`, and every other run, asks again what got no usable answer"


def _excerpt(text: str) -> str:
    line = one_line(" ".join(text.split()))
    return f"it said {line[:_MOST_SHOWN]!r}" + ("..." if len(line) > _MOST_SHOWN else "")
