"""The shipped server as clients see it: keys, faults, time, and what it would have billed."""

from __future__ import annotations

import threading
import time

import httpx
import pytest

from freeal.testing.server import Fault, MessagesServer

BODY = {"model": "m", "max_tokens": 64, "messages": [{"role": "user", "content": "<text>a good thing</text>"}]}


def mood(text):
    return "positive" if "good" in text else "negative"


def ask(server, *, path="/v1/messages", headers=None, timeout=10.0):
    """One plain request."""
    return httpx.post(server.base_url + path, json=BODY, headers=headers or {"x-api-key": "k"}, timeout=timeout)


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/v1/messages", {"x-api-key": "right"}, 200),
        ("/v1/messages", {"authorization": "Bearer right"}, 200),
        ("/v1/chat/completions", {"authorization": "Bearer right"}, 200),
        ("/v1/messages", {"x-api-key": "wrong"}, 401),
        ("/v1/chat/completions", {"authorization": "Bearer wrong"}, 401),
        ("/v1/messages", {"user-agent": "none"}, 401),
    ],
)
def test_either_header_carries_the_key(path, headers, status):
    """A wrong one, or none, is 401 and costs nothing."""
    with MessagesServer(mood, key="right") as server:
        assert status == ask(server, path=path, headers=headers).status_code
        assert (status == 200) == (server.billed.calls == 1)


def test_a_chat_completions_server_may_do_without_a_key():
    """The Messages API never does."""
    with MessagesServer(mood) as server:
        assert [200, 401] == [
            ask(server, path=path, headers={"user-agent": "none"}).status_code
            for path in ("/v1/chat/completions", "/v1/messages")
        ]


@pytest.mark.parametrize(
    ("fault", "status", "kind", "retry_after"),
    [
        ("400", 400, "invalid_request_error", None),
        ("401", 401, "authentication_error", None),
        ("402", 402, "billing_error", None),
        ("403", 403, "permission_error", None),
        ("404", 404, "not_found_error", None),
        ("413", 413, "request_too_large", None),
        (Fault("429", 1.0), 429, "rate_limit_error", "1"),
        (Fault("429", 120.0), 429, "rate_limit_error", "120"),
        ("429 without retry-after", 429, "rate_limit_error", None),
        ("spend cap", 429, "rate_limit_error", None),
        ("500", 500, "api_error", None),
        ("504", 504, "timeout_error", None),
        ("529", 529, "overloaded_error", None),
    ],
)
def test_a_refusal_looks_as_it_does_in_either_protocol(fault, status, kind, retry_after):
    """Status, machine-readable type and retry-after; nothing is billed."""
    with MessagesServer(mood, faults=[fault, fault]) as server:
        ours, theirs = (ask(server, path=path) for path in ("/v1/messages", "/v1/chat/completions"))
        assert 0 == server.billed.calls
    assert (status, status) == (ours.status_code, theirs.status_code)
    assert (retry_after, retry_after) == (ours.headers.get("retry-after"), theirs.headers.get("retry-after"))
    assert ("error", kind) == (ours.json()["type"], ours.json()["error"]["type"])
    assert ("insufficient_quota" if fault == "spend cap" else kind) == theirs.json()["error"]["type"]


def test_a_bad_gateway_is_the_page_of_a_proxy():
    """Not JSON at all."""
    with MessagesServer(mood, faults=["502"]) as server:
        reply = ask(server)
    assert (502, "text/html", "<html>") == (reply.status_code, reply.headers["content-type"], reply.text[:6])


@pytest.mark.parametrize("fault", ["reset", "empty body", "truncated json", "not json", "refusal", "max_tokens"])
def test_what_was_generated_is_billed_although_it_is_of_no_use(fault):
    """Lost on its way, unreadable or refused: the tokens are spent."""
    with MessagesServer(mood, faults=[fault]) as server:
        try:
            ask(server)
        except httpx.TransportError:
            assert "reset" == fault
        assert 1 == server.billed.calls
        assert server.billed.output_tokens > 0


@pytest.mark.parametrize(("fault", "billed"), [(Fault("slow", 30.0), 1), ("hang", 0), (Fault("drip", 30.0), 1)])
def test_a_client_that_leaves_pays_for_what_was_under_way(fault, billed):
    """A server that hangs never came to answer; one that is slow did, for nobody."""
    with MessagesServer(mood, faults=[fault]) as server:
        with pytest.raises(httpx.TimeoutException):
            ask(server, timeout=0.2)
        _settled(server)
        assert billed == server.billed.calls


def test_every_answer_takes_its_time_and_many_share_it():
    """Five at once are under way together, however long each takes."""
    with MessagesServer(mood, latency_seconds=0.3) as server, httpx.Client(headers={"x-api-key": "k"}) as client:
        url = f"{server.base_url}/v1/messages"
        threads = [threading.Thread(target=client.post, args=(url,), kwargs={"json": BODY}) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (5, {200: 5}) == (server.billed.calls, dict(server.statuses))
        assert server.most_under_way > 1


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (None, '{"label": "positive", "confidence": 0.9}'),
        ("outside the set", '{"label": "none of these", "confidence": 0.9}'),
        ("sentence", "I would say that this one is positive, all in all."),
        ("wrong case", "POSITIVE"),
        ("other language", '{"label": "positivo", "confidence": 0.9}'),
        ("max_tokens", '{"label": "po'),
    ],
)
def test_odd_answers_are_what_their_names_say(fault, text):
    """The same in either protocol."""
    with MessagesServer(mood, faults=[fault, fault]) as server:
        ours = ask(server).json()["content"][0]["text"]
        theirs = ask(server, path="/v1/chat/completions").json()["choices"][0]["message"]["content"]
    assert (text, text) == (ours, theirs)


def test_an_unknown_path_is_not_found():
    """As a wrong base_url would have it."""
    with MessagesServer(mood) as server:
        assert [404, 404] == [ask(server, path=path).status_code for path in ("/messages", "/v1/messages/batches/a/b")]


def _settled(server):
    """Wait until the server has noticed that its client left."""
    while server.under_way:  # ends as soon as the other thread has run
        time.sleep(0.005)
