"""Everything a language model server can do wrong, against both network providers: what comes of one row.

What a whole job makes of it stands in tests/scenarios/test_faults.py.
"""

from __future__ import annotations

import typing

import pytest

from freeal.annotation.reply_parser import read_reply
from freeal.errors import AccountError, RowRejectedError, SpendCapError, TransientError
from freeal.llm.providers.anthropic import AnthropicModel
from freeal.llm.providers.openai import OpenAIModel
from freeal.testing.server import Fault, FaultKind, MessagesServer
from freeal.types import Status

pytestmark = pytest.mark.anyio

BOTH = ("anthropic", "openai")
PASSING = {
    "429, 1 s": Fault("429", 1.0),
    "429, 2 min": Fault("429", 120.0),
    **{kind: Fault(kind) for kind in ("500", "502", "504", "529", "reset", "hang")},
    **{kind: Fault(kind) for kind in ("empty body", "truncated json", "not json", "200 overloaded")},
    "slow": Fault("slow", 30.0),
    "drip": Fault("drip", 0.1),
}
"""Worth another try."""
TIMED = {"hang", "slow", "drip"}
FINAL = {
    "400": RowRejectedError,
    "413": RowRejectedError,
    "401": AccountError,
    "403": AccountError,
    "404": AccountError,
    "402": SpendCapError,
    "400 credit": SpendCapError,
    "400 usage limit": SpendCapError,
    "spend cap": SpendCapError,
}
"""Not worth another try."""
ANSWERS = {
    "refusal": (None, Status.REFUSED),
    "max_tokens": (None, Status.INVALID_ANSWER),
    "outside the set": (None, Status.INVALID_ANSWER),
    "other language": (None, Status.INVALID_ANSWER),
    "sentence": ("positive", Status.OK),
    "wrong case": ("positive", Status.OK),
}
"""A reply like any other, for the parser to judge."""
ELSEWHERE = {"429 without retry-after", "400 effort", "400 logprobs", "expired"}
"""Tried below, in test_anthropic.py, in test_openai.py, and in batches, where alone it happens."""


@pytest.fixture
def ask(key, retry, prompt):
    """Ask a server one prompt through a fresh client of a provider."""

    async def ask_once(server, provider, *, timeout_seconds=30.0):
        if provider == "anthropic":
            model = AnthropicModel(key, retry=retry, base_url=server.base_url, timeout_seconds=timeout_seconds)
        else:
            model = OpenAIModel(
                "m", retry=retry, key=key, base_url=f"{server.base_url}/v1", timeout_seconds=timeout_seconds
            )
        try:
            [reply] = await model.answer([prompt])
        finally:
            await model.aclose()
        return read_reply(reply, prompt.labels)

    return ask_once


def by_keyword(text):
    return "positive" if "good" in text else "negative"


def test_every_fault_the_server_knows_is_tried():
    """A new kind of fault needs its line in a table here."""
    assert set(typing.get_args(FaultKind)) == {
        *(fault.kind for fault in PASSING.values()),
        *FINAL,
        *ANSWERS,
        *ELSEWHERE,
    }


@pytest.mark.parametrize("provider", BOTH)
@pytest.mark.parametrize("name", PASSING)
async def test_what_may_pass_is_tried_again(ask, time, provider, name):
    """One fault costs one more request and, where the server said so, exactly the wait it asked for."""
    with MessagesServer(by_keyword, faults=[PASSING[name]]) as server:
        reading = await ask(server, provider, timeout_seconds=1.0 if name in TIMED else 30.0)
        assert (("positive", Status.OK), 2) == ((reading.label, reading.status), len(server.requests))
    told = [PASSING[name].seconds] if name.startswith("429") else []
    assert (told or time.slept) == time.slept
    assert 1 == len(time.slept)


@pytest.mark.parametrize("provider", BOTH)
@pytest.mark.parametrize("name", PASSING)
async def test_what_does_not_pass_is_transient_in_the_end(ask, time, provider, name):
    """After as many tries as are allowed; so a job can pause and come back."""
    with MessagesServer(by_keyword, fault_for=lambda _: PASSING[name]) as server:
        with pytest.raises(TransientError):
            await ask(server, provider, timeout_seconds=0.2 if name in TIMED else 30.0)
        assert name in TIMED or 3 == len(server.requests)
    assert 2 == len(time.slept), "between three tries"


@pytest.mark.parametrize("provider", BOTH)
@pytest.mark.parametrize("kind", FINAL)
async def test_what_cannot_pass_is_not_waited_for(ask, time, provider, kind):
    """The class of the error says what it stops: the row, the lane or the job. Where the words may mean a part of the
    request that the server does not know, it is asked once more, or twice, without."""
    bare = {"anthropic": 1, "openai": 2}[provider] if kind in {"400", "403", "404"} else 0
    with MessagesServer(by_keyword, fault_for=lambda _: kind) as server:
        with pytest.raises(FINAL[kind]):
            await ask(server, provider)
        assert (1 + bare, 0) == (len(server.requests), server.billed.calls)
    assert [] == time.slept


@pytest.mark.parametrize("provider", BOTH)
@pytest.mark.parametrize("kind", ANSWERS)
async def test_an_odd_answer_is_judged_and_not_asked_again(ask, provider, kind):
    """Nor raised: it is paid for. Whether to ask for a better one is the annotator's choice."""
    with MessagesServer(by_keyword, faults=[kind]) as server:
        reading = await ask(server, provider)
        assert (ANSWERS[kind], 1) == ((reading.label, reading.status), server.billed.calls)


async def test_too_many_requests_without_a_word_when_to_come_back(ask):
    """At Anthropic only a spend limit is so silent; other servers often are, and mean no more than a rate."""
    with MessagesServer(by_keyword, faults=["429 without retry-after"] * 2) as server:
        with pytest.raises(SpendCapError):
            await ask(server, "anthropic")
        assert "positive" == (await ask(server, "openai")).label
        assert 3 == len(server.requests)
