"""freeal/llm/store/unwritten_answers.py: answers on their way to the disk."""

from __future__ import annotations

import threading

import anyio
import anyio.to_thread
import pytest

from freeal.llm.store.answer_store import MemoryStore
from freeal.llm.store.unwritten_answers import Keeper
from freeal.types import Bill, Reply

pytestmark = pytest.mark.anyio


class SlowStore(MemoryStore):
    """A store whose first commit lasts until told."""

    def __init__(self):
        super().__init__()
        self.commits = []
        self.has_begun = threading.Event()
        self.may_end = threading.Event()

    def put_many(self, replies, **rest):
        self.commits.append(sorted(replies))
        self.has_begun.set()
        if len(self.commits) == 1:
            self.may_end.wait(10.0)
        super().put_many(replies, **rest)


async def test_those_who_wait_share_a_commit():
    """Nine answers that come while the first is written go in one commit; each is on disk when its caller goes on."""
    store = SlowStore()
    keeper = Keeper(store)

    async def keep(number):
        await keeper.keep({str(number): Reply("x")}, Bill(0.5))
        assert str(number) in store.get_many([str(number)])

    async with anyio.create_task_group() as group:
        group.start_soon(keep, 0)
        await anyio.to_thread.run_sync(store.has_begun.wait, 10.0)
        for number in range(1, 10):
            group.start_soon(keep, number)
        await anyio.wait_all_tasks_blocked()
        store.may_end.set()
    assert [["0"], [str(number) for number in range(1, 10)]] == store.commits
    assert Bill(5.0) == store.billed()


async def test_a_stop_comes_only_after_the_commit():
    """What is paid for is kept."""
    store = MemoryStore()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await Keeper(store).keep({"a": Reply("x")}, Bill(0.5))
    assert 1 == len(store)


class FailsOnce(SlowStore):
    """A store whose first commit fails, after others have come to wait for the next."""

    def put_many(self, replies, **rest):
        is_first = not self.commits
        super().put_many({} if is_first else replies, **({} if is_first else rest))
        if is_first:
            raise OSError(28, "no room is left on the disk")


async def test_whoever_returns_has_its_reply_on_disk_though_a_commit_failed():
    """One caller hears of the failure; the next commit holds its reply too, and its money: nothing paid for is lost."""
    store = FailsOnce()
    keeper, failed = Keeper(store), []

    async def keep(number):
        try:
            await keeper.keep({str(number): Reply("x")}, Bill(0.5))
        except OSError:
            failed.append(number)
        else:
            assert str(number) in store.get_many([str(number)])

    async with anyio.create_task_group() as group:
        group.start_soon(keep, 0)
        await anyio.to_thread.run_sync(store.has_begun.wait, 10.0)
        for number in range(1, 5):
            group.start_soon(keep, number)
        await anyio.wait_all_tasks_blocked()
        store.may_end.set()
    assert [0] == failed
    assert {str(number) for number in range(5)} == set(store.get_many(str(number) for number in range(5)))
    assert Bill(2.5) == store.billed()
