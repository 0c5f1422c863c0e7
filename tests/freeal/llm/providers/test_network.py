"""The way to a server, travelled: proxies of the environment, addresses with a query, and what is said when it ends."""

from __future__ import annotations

import contextlib
import select
import socket
import socketserver
import threading

import pytest

from freeal.annotation.reply_parser import read_reply
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
        return read_reply(reply, prompt.labels).label

    return ask_once


def positive(_):
    """The one answer here."""
    return "positive"


class _Socks5(socketserver.BaseRequestHandler):
    """One connection: greeting, the name that is wanted, then bytes in both directions until either side ends."""

    def handle(self):
        """Lead the client to the server's target."""
        self.request.recv(262)
        self.request.sendall(b"\x05\x00")
        wanted = self.request.recv(262)
        self.server.names.append(wanted[5 : 5 + wanted[4]].decode())
        self.request.sendall(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
        with socket.create_connection(self.server.target) as onward, contextlib.suppress(OSError):
            other = {self.request: onward, onward: self.request}
            while True:
                for source in select.select(list(other), [], [])[0]:
                    data = source.recv(65_536)
                    if not data:
                        return
                    other[source].sendall(data)


@contextlib.contextmanager
def socks5(server):
    """A SOCKS5 proxy that leads every name to `server`; gives its port and the names it was asked for."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Socks5) as proxy:
        proxy.names = []
        proxy.target = ("127.0.0.1", int(server.base_url.rpartition(":")[2]))
        serving = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        try:
            yield proxy.server_address[1], proxy.names
        finally:
            proxy.shutdown()
            serving.join()


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
