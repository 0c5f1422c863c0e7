"""What a page needs from another process (daemon/review/review_in_child.py)."""

from __future__ import annotations

import anyio

from daemon.processes.message_protocol import Result
from daemon.review import review_in_child as questions


def test_two_are_asked_at_once_and_none_waits_for_ever(monkeypatch):
    """Of six that take their time two are under way together; all have their answer, also one that comes later."""
    under_way = most = 0

    async def ask_once(module, line, *, environment):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await anyio.sleep(0.05)
        under_way -= 1
        return Result({"asked": line})

    monkeypatch.setattr(questions, "ask_once", ask_once)

    async def run():
        errands = questions.Errands()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(errands.run)
            await anyio.wait_all_tasks_blocked()
            async with anyio.create_task_group() as askers:
                for number in range(6):
                    askers.start_soon(errands.finish_in_child, {"number": number})
            later = await errands.finish_in_child({"number": 7})
            tasks.cancel_scope.cancel()
        return later

    with anyio.from_thread.start_blocking_portal() as portal:
        assert {"asked": '{"number": 7}'} == portal.call(run)
    assert questions.AT_ONCE == most == 2
