"""The way to a server, travelled: proxies of the environment, addresses with a query, and what is said when it ends."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest

from freeal.annotation.reply_parser import read
from freeal.errors import TransientError
from freeal.llm.limits.retry import Retry
from freeal.llm.providers.anthropic import AnthropicModel
from freeal.llm.providers.openai import OpenAIModel
from freeal.testing.server import MessagesServer

pytestmark = pytest.mark.anyio

BOTH = ("anthropic", "openai")
ELSEWHERE = "http://llm.example.test"


@pytest.fixture
def ask(key, prompt):
    """Ask a server at an address one prompt, in an environment; the label."""

    async def ask_once(provider, address, environ):
        retry = Retry(1)
        if provider == "anthropic":
            model = AnthropicModel(key, retry=retry, base_url=address, environ=environ)
        else:
            model = OpenAIModel("m", retry=retry, key=key, base_url=address, environ=environ)
        try:
            [reply] = await model.answer([prompt])
        finally:
            await model.aclose()
        return read(reply, prompt.labels).label

    return ask_once


def positive(_):
    """The one answer here."""
    return "positive"


@contextlib.contextmanager
def socks5(server):
    """A SOCKS5 proxy that leads every name to `server`; gives its port and the names it was asked for."""
    names = []
    listening = socket.create_server(("127.0.0.1", 0))
    target = ("127.0.0.1", int(server.base_url.rpartition(":")[2]))

    def copy(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def serve():
        with contextlib.suppress(OSError):
            while True:
                client, _ = listening.accept()
                client.recv(262)
                client.sendall(b"\x05\x00")
                request = client.recv(262)
                names.append(request[5 : 5 + request[4]].decode())
                client.sendall(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
                onward = socket.create_connection(target)
                for pair in ((client, onward), (onward, client)):
                    threading.Thread(target=copy, args=pair, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listening.getsockname()[1], names
    finally:
        listening.close()


@pytest.mark.parametrize("provider", BOTH)
@pytest.mark.parametrize("scheme", ["socks", "socks5", "socks5h"])
async def test_a_socks_proxy_is_gone_through(ask, provider, scheme):
    """Also in GNOME's spelling; the proxy resolves the name."""
    with MessagesServer(positive) as server, socks5(server) as (port, names):
        environ = {"ALL_PROXY": f"{scheme}://127.0.0.1:{port}/"}
        base = ELSEWHERE if provider == "anthropic" else f"{ELSEWHERE}/v1"
        assert "positive" == await ask(provider, base, environ)
        assert ["llm.example.test"] == names


@pytest.mark.parametrize("provider", BOTH)
async def test_nothing_but_the_environment_we_are_told_of_decides(ask, provider, monkeypatch):
    """The clients read none by themselves."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere")
    with MessagesServer(positive) as server:
        base = server.base_url if provider == "anthropic" else f"{server.base_url}/v1"
        assert "positive" == await ask(provider, base, {"HTTP_PROXY": "http://127.0.0.1:9"})


@pytest.mark.parametrize("provider", BOTH)
async def test_a_dead_proxy_is_named_with_its_variable(ask, provider):
    """Address, proxy, variable, and what to do; no class of an exception."""
    with pytest.raises(TransientError) as caught:
        await ask(provider, f"{ELSEWHERE}/v1", {"HTTP_PROXY": "http://u:secret@127.0.0.1:9"})
    said = str(caught.value)
    assert "llm.example.test" in said
    assert "through the proxy http://****@127.0.0.1:9 (environment variable HTTP_PROXY)" in said
    assert "NO_PROXY" in said
    assert "Error" not in said


@pytest.mark.parametrize("provider", BOTH)
async def test_a_server_that_does_not_run_is_named_with_its_address(ask, provider):
    """And the question whether it runs."""
    with pytest.raises(TransientError, match=r"127\.0\.0\.1:9.*is the server running"):
        await ask(provider, "http://127.0.0.1:9/v1", {})


@pytest.mark.parametrize("provider", BOTH)
async def test_a_query_in_the_address_goes_with_every_request(ask, provider):
    """As gateways want it, behind the path; a path that is there already is not added again."""
    path = {"anthropic": "/v1/messages", "openai": "/v1/chat/completions"}[provider]
    seen = []
    with MessagesServer(positive) as server:
        proxy = server.base_url
        for base in (f"{ELSEWHERE}/v1?api-version=1", f"{ELSEWHERE}{path}?api-version=1"):
            assert "positive" == await ask(provider, base, {"http_proxy": proxy})
        seen = [request.path for request in server.requests]
    assert [path, path] == seen
