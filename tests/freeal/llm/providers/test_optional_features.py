"""freeal/llm/providers/optional_features.py: what a server does not take is found out, once, and said."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anyio
import pytest

from freeal.annotation.prompts import label_prompt, writing_prompt
from freeal.annotation.reply_parser import read_reply
from freeal.errors import AccountError, RowRejectedError, TransientError
from freeal.llm.providers.anthropic import AnthropicModel
from freeal.llm.providers.openai import OpenAIModel

pytestmark = pytest.mark.anyio

PARTS = {
    "json_schema": "response_format",
    "logprobs": "logprobs",
    "temperature": "temperature",
    "max_tokens": "max_tokens",
}
"""A feature and the key of the request that it is."""


class Picky:
    """A server that refuses any request for which `refuses(body)` gives a status and words, and answers the others."""

    def __init__(self, refuses):
        self.refuses = refuses
        self.bodies = []

    def __enter__(self):
        picky = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                """Tests print enough."""

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                picky.bodies.append(body)
                refusal = picky.refuses(body)
                status, said = (200, _answer()) if refusal is None else (refusal[0], {"error": {"message": refusal[1]}})
                content = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._http.shutdown()
        self._http.server_close()


def _answer():
    text = '{"label": "positive", "confidence": 0.9, "texts": ["a"]}'
    return {
        "choices": [{"message": {"content": text}, "finish_reason": "stop"}],
        "content": [{"type": "text", "text": text}],
        "usage": {},
    }


@pytest.fixture
async def opened(retry, key):
    """Opens models, which are closed in the end; what they say is in `said`."""
    models, said = [], []

    def open_model(server, *, provider="openai"):
        if provider == "openai":
            model = OpenAIModel("m", retry=retry, base_url=f"{server.url}/v1", environ={}, on_notice=said.append)
        else:
            model = AnthropicModel(key, retry=retry, base_url=server.url, environ={}, on_notice=said.append)
        models.append(model)
        return model

    open_model.said = said
    yield open_model
    for model in models:
        await model.aclose()


async def label(model, task, text):
    """The label one row gets."""
    prompt = label_prompt(task, text, style="chat")
    return read_reply((await model.answer([prompt]))[0], prompt.labels).label


STATUSES = [400, 403, 404, 405, 415, 422, 501]


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("feature", PARTS)
async def test_a_part_is_found_out_without_being_named(opened, task, feature, status):
    """Whatever status and words: the row is answered, that part alone stays out, and it is said once."""
    with Picky(lambda body: (status, "computer says no") if PARTS[feature] in body else None) as server:
        model = opened(server)
        for number in range(12):
            assert "positive" == await label(model, task, f"row {number}")
        assert set(PARTS.values()) - {PARTS[feature]} <= set(server.bodies[-1])
        assert PARTS[feature] not in server.bodies[-1]
        assert ("max_completion_tokens" in server.bodies[-1]) == (feature == "max_tokens")
        assert len(server.bodies) <= 12 + 4
    assert 1 == len(opened.said)
    assert "computer says no" in opened.said[0]


@pytest.mark.parametrize(
    ("feature", "status", "words"),
    [
        ("json_schema", 400, "Failed to initialize samplers: failed to parse grammar"),
        ("json_schema", 500, "The provided JSON schema contains features not supported by xgrammar."),
        ("logprobs", 403, "You are not allowed to request logprobs from this model"),
        ("temperature", 400, "Unsupported value: 'temperature' does not support 0 with this model."),
        (
            "max_tokens",
            400,
            "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead.",
        ),
        ("max_tokens", 400, "Unrecognized request argument supplied: max_tokens"),
    ],
)
async def test_a_part_that_is_named_costs_one_refused_call(opened, task, feature, status, words):
    """The next request does without."""
    with Picky(lambda body: (status, words) if PARTS[feature] in body else None) as server:
        assert "positive" == await label(opened(server), task, "a row")
        assert 2 == len(server.bodies)
    assert 1 == len(opened.said)


async def test_several_parts_may_be_refused(opened, task):
    """One after the other, without a name."""
    with Picky(lambda body: (400, "no") if {"logprobs", "response_format"} & set(body) else None) as server:
        model = opened(server)
        assert ["positive"] * 6 == [await label(model, task, f"row {number}") for number in range(6)]
        assert {"model", "messages", "max_tokens", "temperature"} == set(server.bodies[-1])
    assert 2 == len(opened.said)


async def test_calls_side_by_side_find_the_same(opened, task):
    """No part is given up for what another call was refused for."""
    with Picky(lambda body: (400, "no") if "logprobs" in body else None) as server:
        model = opened(server)
        async with anyio.create_task_group() as group:
            for number in range(12):
                group.start_soon(label, model, task, f"row {number}")
        assert "positive" == await label(model, task, "last")
        assert {"response_format", "temperature", "max_tokens"} <= set(server.bodies[-1])
    assert 1 == len(opened.said)


async def test_a_refusal_of_everything_is_the_servers_last_word(opened, task):
    """A wrong model's name costs two more requests and is told as it is."""
    with Picky(lambda _: (404, "the model m does not exist")) as server:
        with pytest.raises(AccountError, match="the model m does not exist"):
            await label(opened(server), task, "a row")
        assert 3 == len(server.bodies)
    assert [] == opened.said


async def test_once_answered_a_refusal_is_about_its_row(opened, task):
    """Nothing is left out for it."""
    with Picky(lambda body: (400, "no") if "odd" in json.dumps(body["messages"]) else None) as server:
        model = opened(server)
        assert "positive" == await label(model, task, "a row")
        with pytest.raises(RowRejectedError):
            await label(model, task, "odd")
        assert 2 == len(server.bodies)


async def test_a_limit_that_is_too_large_is_no_unknown_name(opened, task):
    """The value is refused, not the parameter: nothing is renamed."""
    words = "'max_tokens' or 'max_completion_tokens' is too large: 1024. The maximum context length is 512 tokens."
    with Picky(lambda _: (400, words)) as server, pytest.raises(RowRejectedError):
        await label(opened(server), task, "a row")
    assert [] == opened.said


async def test_a_server_that_fails_is_not_suspected_at_once(opened, task):
    """Three tries with a 500 each are an accident: nothing is left out."""
    with Picky(lambda _: (500, "oops")) as server, pytest.raises(TransientError):
        await label(opened(server), task, "a row")
    assert {"response_format", "logprobs"} <= set(server.bodies[-1])


async def test_written_texts_say_nothing_of_what_labels_need(opened, task):
    """They are asked for without probabilities, so their answers do not clear them."""
    with Picky(lambda body: (400, "no") if "logprobs" in body else None) as server:
        model = opened(server)
        await model.answer([writing_prompt(task, task.labels[0], prototypes=[], count=1)])
        assert ["positive"] * 6 == [await label(model, task, f"row {number}") for number in range(6)]
        assert "logprobs" not in server.bodies[-1]
        assert "response_format" in server.bodies[-1]
    assert 1 == len(opened.said)


async def test_a_gateway_before_claude_is_found_out_too(opened, task):
    """An older model behind it knows no effort, and says nothing that names it."""
    with Picky(lambda body: (400, "invalid") if "effort" in body.get("output_config", {}) else None) as server:
        model = opened(server, provider="anthropic")
        assert ["positive"] * 6 == [await label(model, task, f"row {number}") for number in range(6)]
        assert {"format"} == set(server.bodies[-1]["output_config"])
        assert "thinking" in server.bodies[-1]
    assert 1 == len(opened.said)
