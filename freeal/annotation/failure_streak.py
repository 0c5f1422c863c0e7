"""Failures in a row, over all that one job asks: from when on there is no use in asking further."""

from __future__ import annotations

import re

from freeal.annotation.unusable_answers import UnusableAnswers
from freeal.errors import LlmError, RowRejectedError, TransientError, UnusableAnswersError
from freeal.types import Prompt, Reply

_HOPELESS = 20
_OF_ONE_ROW = re.compile(
    r"\b(?:too (?:long|large)|tokens|(?:context|maximum|input|prompt) (?:length|limit|window))\b", re.IGNORECASE
)
"""What servers say of a text that is too long: many such rows may stand together, and each is refused for itself."""

_CHANGING = re.compile(r"\b(?=\w*\d)[\w-]+")
"""Counts, times and the ids of requests: what differs between refusals of one cause."""


class FailureStreak:
    """Hopeless are twenty failed calls in a row that no row is to blame for: an outage; anything, as long as nothing
    was ever answered; the same words twenty times, whenever that begins; or twenty answers that are cut off or empty
    before there was a single one of use."""

    def __init__(self) -> None:
        self.ever_answered = False
        self._ever_usable = False
        self._failed = self._alike = 0
        self._words = ""
        self._useless = UnusableAnswers()
        self._useless_in_a_row = 0

    def answered(self) -> None:
        """The model gave an answer, whatever is in it."""
        self.ever_answered = True
        self._failed = self._alike = 0

    def count_failure(self, error: RowRejectedError | TransientError) -> bool:
        """A call failed; whether that is hopeless."""
        words = _CHANGING.sub("#", error.said or error.problem)
        self._failed += 1
        self._alike = self._alike + 1 if words == self._words and self._alike else 1
        self._words = words
        if isinstance(error, TransientError):
            return error.is_outage or self._failed >= _HOPELESS
        # Rows that are rejected each for its own reason may well stand together in a file that others were answered
        # from; the same words again and again have one cause, which is no row.
        is_one_cause = self._alike >= _HOPELESS and not _OF_ONE_ROW.search(words)
        return is_one_cause or (not self.ever_answered and self._failed >= _HOPELESS)

    def judge_reply(self, reply: Reply, prompt: Prompt, *, is_usable: bool) -> LlmError | None:
        """An answer was looked at; the error that ends the job, where none will ever be of use."""
        if not prompt.labels:  # room for a whole text says nothing about the room a label has
            return None
        if is_usable:
            self._ever_usable, self._useless_in_a_row = True, 0
        elif reply.outcome in {"cut_off", "empty"}:
            self._useless.add(reply, prompt)
            self._useless_in_a_row += 1
        if self._ever_usable or self._useless_in_a_row < _HOPELESS:
            return None
        problem = f"no answer of the language model so far can be used: {self._useless.problem}"
        return UnusableAnswersError(problem, hint=self._useless.hint)
