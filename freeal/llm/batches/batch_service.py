"""The contract between the batch sender and a provider's batch service."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import AsyncGenerator, Mapping
from typing import Protocol

from freeal.errors import LlmError, RowRejectedError
from freeal.types import Prompt, Reply


@dataclasses.dataclass(frozen=True, slots=True)
class Batch:
    """A batch as the service tells of it. `requests` is all of it, `answered` how many of them are over with."""

    id: str
    created_at: datetime.datetime
    ended: bool
    readable: bool
    """Whether it has ended and its results are still kept."""
    requests: int
    answered: int


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one request: a reply, an error, or neither where nobody worked on it (`untried`)."""

    custom_id: str
    reply: Reply | None = None
    error: LlmError | None = None
    cancelled: bool = False
    """Nobody worked on it because somebody cancelled the batch; otherwise, because its time was over."""


class BatchService(Protocol):
    """A provider's batches, for one model. Methods raise the classes of `LlmError`, without retries of their own."""

    @property
    def endpoint(self) -> str:
        """The address of the service: a batch is known there and nowhere else."""

    def size_bytes(self, prompt: Prompt) -> int:
        """An upper bound of what a prompt takes up in the body of `create`."""

    def adapt(self, error: RowRejectedError) -> bool:
        """Whether the next try of a rejected request will leave out what it was rejected for."""

    async def create(self, requests: Mapping[str, Prompt]) -> Batch:
        """Submit a batch of `custom_id` -> prompt. After a `TransientError` nobody knows whether it was taken."""

    async def newest(self) -> Batch | None:
        """The newest batch; None when there is none."""

    def newer_than(self, batch_id: str | None, *, not_before: datetime.datetime | None) -> AsyncGenerator[Batch, None]:
        """Batches newer than that one, the newest first; all of them for None, but none created before that time,
        which is by the service's clock."""

    async def look_up(self, batch_id: str) -> Batch | None:
        """How far a batch is; None when the service does not know it (any more)."""

    def results(self, batch_id: str) -> AsyncGenerator[Outcome, None]:
        """The outcomes of a readable batch, in any order."""

    async def cancel(self, batch_id: str) -> None:
        """Ask for a batch to be cancelled; nothing happens to one that has ended."""
