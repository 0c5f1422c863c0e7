"""freeal/llm/providers/openai.py against a real socket."""

from __future__ import annotations

import pytest

from freeal.annotation.prompts import writing_prompt
from freeal.annotation.reply_parser import read_reply
from freeal.errors import AccountError, RowRejectedError, SpendCapError, TransientError
from freeal.llm.errors_from_responses import error_for_status
from freeal.llm.limits.retry_after import retry_after_seconds
from freeal.llm.providers.openai import OpenAIModel, request_body
from freeal.testing.server import Fault, MessagesServer

pytestmark = pytest.mark.anyio


def by_keyword(text):
    return "positive" if "good" in text else "negative"


@pytest.fixture
def ask(retry):
    """Ask a server a prompt through a fresh client."""

    async def ask_once(server, prompt, **options):
        model = OpenAIModel("some-model", retry=retry, base_url=f"{server.base_url}/v1", **options)
        try:
            return (await model.answer([prompt]))[0]
        finally:
            await model.aclose()

    return ask_once


async def test_a_label_comes_back_without_a_key(ask, prompt):
    """A local server needs no key; usage is what it billed."""
    with MessagesServer(by_keyword) as server:
        reply = await ask(server, prompt)
        assert "positive" == read_reply(reply, prompt.labels).label
        assert server.billed == reply.usage
        assert "authorization" not in server.requests[0].headers


async def test_the_key_is_sent_as_a_bearer_token(ask, prompt, key):
    """A server that wants one accepts it."""
    with MessagesServer(by_keyword, key="sk-ant-test") as server:
        assert "positive" == read_reply(await ask(server, prompt, key=key), prompt.labels).label


def test_the_request_holds_the_model_to_the_schema(prompt):
    """Chat completions with response_format json_schema; at temperature 0 the same row gets the same answer."""
    body = request_body(prompt, model="m")
    options = {"max_tokens", "response_format", "logprobs", "top_logprobs", "temperature"}
    assert {"model", "messages", *options} == set(body)
    assert 0 == body["temperature"]
    assert ["system", "user"] == [message["role"] for message in body["messages"]]


def test_features_a_server_refuses_are_left_out(prompt):
    """Without schemas the request is plain; a renamed limit gets its new name."""
    body = request_body(prompt, model="m", without=frozenset({"json_schema", "max_tokens", "logprobs", "temperature"}))
    assert {"model", "messages", "max_completion_tokens"} == set(body)


async def test_the_probability_of_the_label_is_the_confidence(ask, prompt):
    """What the tokens say goes before what the model states: of 0.6 and 0.2 for the two labels, three quarters."""
    with MessagesServer(by_keyword) as server:
        reply = await ask(server, prompt)
    assert '"confidence": 0.9' in reply.text
    assert 0.75 == pytest.approx(read_reply(reply, prompt.labels).confidence)


async def test_a_server_without_logprobs_is_asked_again_without_them(ask, prompt):
    """One refused call; the confidence is the one the model states."""
    refusal = Fault("400 logprobs")
    with MessagesServer(by_keyword, faults=[refusal]) as server:
        reply = await ask(server, prompt)
        asked = [request.body.get("logprobs") for request in server.requests]
    assert [True, None] == asked
    assert 0.9 == read_reply(reply, prompt.labels).confidence


def test_written_demonstrations_are_asked_for_without_probabilities(task):
    """Thousands of tokens would each come with their alternatives."""
    prompt = writing_prompt(task, task.labels[0], prototypes=[], count=3)
    assert "logprobs" not in request_body(prompt, model="m")


@pytest.mark.parametrize(
    ("status", "message", "codes", "error"),
    [
        (429, "You exceeded your current quota", set(), SpendCapError),
        (429, "no", {"insufficient_quota"}, SpendCapError),
        (308, "moved", set(), AccountError),
        (418, "teapot", set(), RowRejectedError),
        (599, "odd", set(), TransientError),
    ],
)
def test_statuses(status, message, codes, error):
    """Quota is money, a redirect is a wrong address, unknown 4xx concern one row, unknown 5xx pass."""
    assert error is type(error_for_status(status, message, codes=frozenset(codes)))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "12"}, 12.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "Thu, 01 Jan 1970 00:01:40 GMT"}, 90.0),
        ({"retry-after": "-5"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "inf"}, None),
        ({}, None),
    ],
)
def test_retry_after(headers, seconds):
    """Seconds, milliseconds and dates are understood, nonsense is not."""
    assert seconds == retry_after_seconds(headers, now=10.0)


async def test_a_wish_for_fewer_calls_is_told_once(retry, prompt):
    """In the server's words: whoever looks at a job that hardly moves knows why."""
    said = []
    with MessagesServer(by_keyword, faults=[Fault("429", 0.1)] * 2) as server:
        model = OpenAIModel("m", retry=retry, base_url=f"{server.base_url}/v1", on_notice=said.append)
        await model.answer([prompt])
        await model.aclose()
    assert 1 == len(said)
    assert "would exceed the rate limit" in said[0]
