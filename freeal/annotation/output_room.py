"""How much a model may write: little at first, and more once its thoughts have used that up.

What is allowed is reserved from the budget for every call, so a label gets no more room than it needs. A model that
thinks needs more, and nobody says so beforehand: it is found out by the first answer that is cut off.
"""

from __future__ import annotations

import dataclasses
import re

from freeal.errors import RowRejectedError
from freeal.events import Emit, Notice
from freeal.money.call_ceiling import output_ceiling
from freeal.types import Prompt, Reply

_STEP = 4
MOST_TOKENS = 32_768
_ITS_OWN_LIMIT = 0.9
"""Below this share of what was allowed, it was not our limit that an answer met: more room would not help."""

_TOO_MUCH = re.compile(r"max_(?:completion_)?tokens|max_output_tokens|context (?:length|window)|maximum", re.IGNORECASE)


class OutputRoom:
    """The room all calls of one job are given."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._factor = 1
        self._largest_factor = _STEP * _STEP

    def given(self, prompt: Prompt) -> Prompt:
        """The prompt with as much room as there is now."""
        return _widened(prompt, self._factor)

    @staticmethod
    def room_needed(reply: Reply, prompt: Prompt) -> Prompt:
        """The prompt with the least room that holds a reply to it: what it was asked with is not known of a reply from
        a batch, which an earlier run may have sent."""
        factor = 1
        while reply.usage.output_tokens > output_ceiling(_widened(prompt, factor)) and factor < _STEP * _STEP:
            factor *= _STEP
        return _widened(prompt, factor)

    def is_larger_than(self, asked: Prompt, prompt: Prompt) -> bool:
        """Whether `prompt` would now be given more than it was when it was `asked`."""
        return output_ceiling(self.given(prompt)) > output_ceiling(asked)

    def widen_room(self, reply: Reply, asked: Prompt, prompt: Prompt) -> bool:
        """Whether a reply to `prompt`, as it was `asked`, was cut off for want of room; there then is more."""
        if reply.outcome != "cut_off":
            return False
        allowed, written = output_ceiling(asked), reply.usage.output_tokens
        if written and written < _ITS_OWN_LIMIT * allowed:
            return False
        if not self.is_larger_than(asked, prompt) and self._factor < self._largest_factor:
            self._factor *= _STEP
            larger = output_ceiling(self.given(prompt))
            why = "models that think before they answer need more"
            self._emit(Notice(f"an answer was cut off at {allowed:,} tokens, now {larger:,} are allowed: {why}"))
        return self.is_larger_than(asked, prompt)

    def narrow_room_if_refused(self, error: RowRejectedError, asked: Prompt, prompt: Prompt) -> bool:
        """Whether a request was refused for the room it was given; less is given from now on."""
        if output_ceiling(asked) <= output_ceiling(prompt) or not _TOO_MUCH.search(error.said or error.problem):
            return False
        if output_ceiling(self.given(prompt)) >= output_ceiling(asked):
            self._factor = max(1, self._factor // _STEP)
            self._largest_factor = self._factor
        return True


def _widened(prompt: Prompt, factor: int) -> Prompt:
    if factor == 1:
        return prompt
    return dataclasses.replace(prompt, output_tokens=min(MOST_TOKENS, output_ceiling(prompt) * factor))
