"""freeal/llm/errors_from_responses.py: what a status or a lost connection means, and whether it was billed."""

from __future__ import annotations

import httpx
import httpx2
import pytest

from freeal.errors import AccountError, LlmError, SpendCapError, TransientError
from freeal.llm.errors_from_responses import error_for_answer, error_for_connection, error_for_status
from freeal.llm.network_route import Route

ROUTE = Route("http://127.0.0.1:8000/v1")
NEVER_SENT = {"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError"}
WRONG_ADDRESS = {"UnsupportedProtocol", "LocalProtocolError", "InvalidURL", "TooManyRedirects", "CookieConflict"}
MAY_BE_BILLED = {
    "ReadTimeout",
    "WriteTimeout",
    "ReadError",
    "WriteError",
    "CloseError",
    "RemoteProtocolError",
    "DecodingError",
    "TimeoutException",
    "NetworkError",
    "ProtocolError",
    "TransportError",
    "RequestError",
    "HTTPError",
    "HTTPStatusError",
    "StreamError",
    "StreamConsumed",
    "StreamClosed",
    "ResponseNotRead",
    "RequestNotRead",
    "SSEError",
}
ONLY_IN_HTTPX2 = {"SSEError"}


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_every_exception_of_the_http_clients_has_its_place(library):
    """A class that a later release adds is missing here until someone has thought about it."""
    public = {
        name
        for name in library.__all__
        if isinstance(getattr(library, name), type) and issubclass(getattr(library, name), Exception)
    }
    known = NEVER_SENT | WRONG_ADDRESS | MAY_BE_BILLED
    assert (known if library is httpx2 else known - ONLY_IN_HTTPX2) == public


def example_of(kind):
    """An exception of that class."""
    request = httpx.Request("POST", "http://127.0.0.1/")
    if kind.__name__ == "HTTPStatusError":
        return kind("m", request=request, response=None)
    return (
        kind()
        if kind.__name__ in {"StreamConsumed", "StreamClosed", "ResponseNotRead", "RequestNotRead"}
        else kind("m")
    )


@pytest.mark.parametrize("library", [httpx, httpx2])
@pytest.mark.parametrize("name", sorted((NEVER_SENT | WRONG_ADDRESS | MAY_BE_BILLED) - ONLY_IN_HTTPX2))
def test_broken_connections_are_translated(library, name):
    """Without a connection nothing was billed; a wrong address is the user's; of all others nobody knows."""
    error = error_for_connection(example_of(getattr(library, name)), route=ROUTE)
    if name in WRONG_ADDRESS:
        assert AccountError is type(error)
    else:
        assert ("unavailable" if name in NEVER_SENT else "lost_reply") == error.trouble


def test_an_unknown_failure_may_have_been_billed():
    """Whatever a library raises next year: the cap must hold."""
    assert "lost_reply" == error_for_connection(OSError("odd"), route=ROUTE).trouble


@pytest.mark.parametrize(
    ("status", "trouble"),
    [
        (429, "rate_limit"),
        (500, "failed"),
        (503, "unavailable"),
        (529, "unavailable"),
        (408, "failed"),
        (502, "lost_reply"),
        (504, "lost_reply"),
        (524, "lost_reply"),
    ],
)
def test_what_a_status_says_about_the_bill(status, trouble):
    """A server's own refusal costs nothing; behind a gateway that gave up, one may have worked."""
    assert trouble == error_for_status(status, "m").trouble


def answer(headers, *, message="m", codes=(), silence_is_spend_cap=True):
    """The error for a 429."""
    return error_for_answer(
        429,
        message,
        codes=frozenset(codes),
        headers=headers,
        now=0.0,
        silence_is_spend_cap=silence_is_spend_cap,
    )


def test_a_429_says_when_to_come_back():
    """In so many words, or by the `reset` of a limit that is used up."""
    assert 7.0 == answer({"retry-after": "7"}).retry_after_seconds
    used_up = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "3s"}
    assert ("rate_limit", 3.0) == (answer(used_up).trouble, answer(used_up).retry_after_seconds)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (answer({}), SpendCapError),
        (answer({}, silence_is_spend_cap=False), TransientError),
        (answer({}, codes=["ramp_limit_exceeded"]), TransientError),
        (answer({"x-ratelimit-remaining-requests": "5", "x-ratelimit-reset-requests": "3s"}), SpendCapError),
        (answer({"retry-after": "600"}, codes=["enforced_spend_limit_reached"]), SpendCapError),
        (answer({}, message="You exceeded your current quota", silence_is_spend_cap=False), SpendCapError),
    ],
)
def test_a_429_without_a_word(error, kind):
    """Anthropic's spend limit is silent, or names itself; elsewhere silence is a rate limit like any other."""
    assert kind is type(error)
    assert isinstance(error, LlmError)


def test_a_spend_cap_says_what_it_is():
    """A person who reads why a job is paused knows what to do."""
    assert str(answer({})).startswith("the account's spend limit or credit is used up: ")
    assert "raise the spend limit" in str(answer({}))
