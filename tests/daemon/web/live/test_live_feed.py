"""The ticker: computed once for all, and only while somebody looks."""

from __future__ import annotations

import json

import anyio

from daemon.web.live.live_feed import MOST_LISTENERS, Feed, TooManyListenersError, View


class Source:
    """Something to look at, and how often that was done."""

    def __init__(self, **parts):
        self.parts = parts
        self.taken = 0

    def take(self):
        self.taken += 1
        return self.parts

    def feed(self, **how):
        return Feed(self.take, self.render, steady=how.pop("steady", lambda: 0.0), tick_seconds=0.01, **how)

    def render(self, parts):
        return View(dict(parts), {"jobs": tuple(sorted(parts))})


def _content(message):
    fields = dict(line.split(": ", 1) for line in message.strip().splitlines())
    return fields["id"], json.loads(fields["data"])


async def _next(stream):
    with anyio.fail_after(20):
        return await anext(stream)


def test_nothing_is_computed_while_nobody_looks():
    """The ticker sleeps until the first listener comes, and again after the last one left."""
    source = Source(a="1")

    async def run():
        feed = source.feed()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(feed.run)
            await anyio.wait_all_tasks_blocked()
            assert 0 == source.taken
            stream = feed.listen_to_events("")
            await _next(stream)
            await _next(stream)
            assert 1 == feed.listeners
            await stream.aclose()
            assert 0 == feed.listeners
            tasks.cancel_scope.cancel()

    anyio.run(run)
    assert 1 == source.taken


def test_a_listener_gets_what_changed_since_its_version():
    """First all, then the one part; a list only when its members change."""
    source = Source(a="1", b="2")
    now = [0.0]

    async def run():
        feed = source.feed(steady=lambda: now[0])
        stream = feed.listen_to_events("")
        await _next(stream)
        await feed.current_view()
        _, content = _content(await _next(stream))
        assert {"parts": {"a": "1", "b": "2"}, "lists": {"jobs": ["a", "b"]}} == content
        source.parts = {"a": "1", "b": "3"}
        now[0] += 1
        version = (await feed.current_view())[2]
        found, content = _content(await _next(stream))
        assert (version, {"parts": {"b": "3"}, "lists": {}}) == (found, content)
        source.parts = {"b": "3"}
        now[0] += 1
        await feed.current_view()
        assert {"parts": {}, "lists": {"jobs": ["b"]}} == _content(await _next(stream))[1]
        late = feed.listen_to_events(version)
        await _next(late)
        assert {"parts": {}, "lists": {"jobs": ["b"]}} == _content(await _next(late))[1]
        for unknown in ("", "x", "0-1", f"{version}9", f"{version.partition('-')[0]}--1"):
            stranger = feed.listen_to_events(unknown)
            await _next(stranger)
            assert {"b": "3"} == _content(await _next(stranger))[1]["parts"]
            await stranger.aclose()
        await stream.aclose()
        await late.aclose()

    anyio.run(run)


def test_a_snapshot_serves_everybody_for_a_second():
    """Fifty requests at once cost one look."""
    source = Source(a="1")
    now = [0.0]

    async def run():
        feed = source.feed(steady=lambda: now[0])
        async with anyio.create_task_group() as tasks:
            for _ in range(50):
                tasks.start_soon(feed.current_snapshot)
        assert 1 == source.taken
        now[0] += 1.0
        await feed.current_snapshot()
        assert 2 == source.taken

    anyio.run(run)


def test_closing_ends_every_stream():
    """A stop of the daemon waits for no browser."""

    async def run():
        feed = Source(a="1").feed()
        ended = 0

        async def listen():
            nonlocal ended
            async for _ in feed.listen_to_events(""):
                pass
            ended += 1

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(listen)
            await anyio.wait_all_tasks_blocked()
            feed.close()
        assert (5, 0) == (ended, feed.listeners)

    anyio.run(run)


def test_there_is_an_end_to_listeners():
    """One too many is refused; the others go on."""

    async def run():
        feed = Source(a="1").feed()
        streams = [feed.listen_to_events("") for _ in range(MOST_LISTENERS)]
        for stream in streams:
            await _next(stream)
        try:
            await _next(feed.listen_to_events(""))
            refused = False
        except TooManyListenersError:
            refused = True
        for stream in streams:
            await stream.aclose()
        assert refused

    anyio.run(run)


def test_a_fault_of_the_page_does_not_end_the_ticker():
    """It is logged, and the next second tries again."""
    source = Source(a="1")
    calls = []

    def take():
        calls.append(1)
        if len(calls) == 1:
            raise OSError("the disk is away")
        return source.parts

    async def run():
        now = iter(range(10_000))
        feed = Feed(take, source.render, steady=lambda: float(next(now)), tick_seconds=0.01)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(feed.run)
            stream = feed.listen_to_events("")
            await _next(stream)
            assert {"a": "1"} == _content(await _next(stream))[1]["parts"]
            await stream.aclose()
            tasks.cancel_scope.cancel()

    anyio.run(run)
