"""The requests of one order that have no answer so far, and what came of the rest."""

from __future__ import annotations

import collections
from collections.abc import Mapping

from freeal.errors import LlmError
from freeal.llm.protocols import BatchOrder, Sent
from freeal.money.call_ceiling import call_ceiling
from freeal.types import Reply, Status, Usage


class OpenRequests:
    """One `send` under way. Of its requests only the keys are held, and those that are still `open`."""

    def __init__(self, order: BatchOrder) -> None:
        self.order = order
        self.open = dict.fromkeys(order.keys)
        """Keys, in order."""
        self.sent = Sent()
        self.tries: collections.Counter[str] = collections.Counter()

    def close_answered(self, replies: Mapping[str, Reply]) -> None:
        """Hand on the replies to what is open."""
        done = [key for key in replies if key in self.open]
        for key in done:
            del self.open[key]
            self.order.on_reply(key, replies[key])
        self.order.on_answered(done)

    def close_failed(self, key: str, error: LlmError) -> None:
        """Give one up."""
        del self.open[key]
        self.sent.failures[key] = Status.API_ERROR
        self.sent.last_failure = error
        self.order.on_answered([key])

    def most(self, key: str) -> Usage:
        """The most one can use."""
        return call_ceiling(self.order.prompt(key))
