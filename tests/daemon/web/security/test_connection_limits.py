"""Who only connects, and says nothing, keeps neither the page nor the service from their work."""

from __future__ import annotations

import asyncio

import pytest
import uvicorn

from daemon.web.security.connection_limits import LimitedProtocol

REQUEST = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"


async def _app(scope, receive, send):
    while scope["method"] == "POST" and (await receive()).get("more_body"):
        continue
    if scope["path"] == "/flood":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:  # cancelled with the loop; what is sent to nobody returns at once, so others get their turn here
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
            await asyncio.sleep(0)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


async def _until(condition):
    while not condition():  # noqa: ASYNC110 - the server tells nobody of its connections
        await asyncio.sleep(0.01)


def _served(visit, *, most=3, idle_seconds=0.1):
    """What `visit(port, server)` gives, beside a server with these limits."""
    limits = {"most": staticmethod(lambda: most), "idle_seconds": idle_seconds}
    protocol = type("Protocol", (LimitedProtocol,), limits)
    config = uvicorn.Config(_app, http=protocol, ws="none", lifespan="off", log_config=None, port=0)

    async def run():
        server = uvicorn.Server(config)
        server.install_signal_handlers = lambda: None
        serving = asyncio.create_task(server._serve())
        await _until(lambda: server.started)
        try:
            return await asyncio.wait_for(visit(server.servers[0].sockets[0].getsockname()[1], server), 20)
        finally:
            server.should_exit = server.force_exit = True
            await serving

    return asyncio.run(run())


@pytest.mark.parametrize(
    "said", [b"", REQUEST[:9], b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\nab"]
)
def test_a_request_that_is_never_whole_is_given_up(said):
    """Connected and silent, stopped in the head, stopped in the body: the connection is closed."""

    async def visit(port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(said)
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""
        finally:
            writer.close()

    assert b"200" not in _served(visit)


def test_beyond_the_limit_a_connection_is_closed_at_once_and_later_ones_are_served_again():
    """A thousand idle ones leave room: those that are held time out, and whoever asks then is answered."""

    async def visit(port, server):
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(40)]
        seen = []
        await _until(lambda: seen.append(len(server.server_state.connections)) or (any(seen) and not seen[-1]))
        for _, writer in idle:
            writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(REQUEST)
        answer = await reader.read(12)
        writer.close()
        return max(seen) <= 3, answer

    assert (True, b"HTTP/1.1 200") == _served(visit)


def test_a_reader_that_takes_nothing_is_given_up():
    """An event stream nobody reads does not keep its descriptor, however long it would go on."""

    async def visit(port, server):
        _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(REQUEST.replace(b"GET / ", b"GET /flood "))
        await _until(lambda: server.server_state.connections)
        await _until(lambda: not server.server_state.connections)
        writer.close()
        return True

    assert _served(visit)
