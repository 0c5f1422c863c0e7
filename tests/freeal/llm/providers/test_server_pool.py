"""Several OpenAI-compatible servers as one, over real sockets."""

from __future__ import annotations

import contextlib

import anyio
import pytest

from freeal.annotation.prompts import label_prompt
from freeal.annotation.reply_parser import read_reply
from freeal.errors import ConfigError, TransientError
from freeal.events import ignore
from freeal.job.open_chat_model import open_chat_model
from freeal.settings import LlmSettings
from freeal.testing.server import Fault, MessagesServer

pytestmark = pytest.mark.anyio


@contextlib.asynccontextmanager
async def _pool(tmp_path, *servers, notices=None, **settings):
    chosen = {"concurrency": 4, "max_attempts": 1} | settings
    model = await open_chat_model(
        LlmSettings(
            provider="openai", model="m", base_url=tuple(f"{server.base_url}/v1" for server in servers), **chosen
        ),
        cache=tmp_path,
        key_folder=tmp_path,
        device="cpu",
        emit=ignore if notices is None else lambda event: notices.append(event.message),
        api_key=None,
        environ={},
    )
    async with contextlib.aclosing(model):
        yield model


async def _ask(model, task, texts):
    """The labels, all asked at once."""
    found = {}

    async def one(text):
        prompt = label_prompt(task, text, style="chat")
        found[text] = read_reply((await model.answer([prompt]))[0], prompt.labels).label

    async with anyio.create_task_group() as tasks:
        for text in texts:
            tasks.start_soon(one, text)
    return found


def _by_keyword(text):
    return "positive" if "good" in text else "negative"


async def test_calls_are_spread_over_the_servers(tmp_path, task):
    """Two of the same speed have about half of the calls each, and every answer is right."""
    with MessagesServer(_by_keyword) as first, MessagesServer(_by_keyword) as second:
        async with _pool(tmp_path, first, second) as model:
            texts = [f"{'good' if number % 2 else 'bad'} film {number}" for number in range(40)]
            found = await _ask(model, task, texts)
    assert {text: _by_keyword(text) for text in texts} == found
    counts = (len(first.requests), len(second.requests))
    assert 40 == sum(counts)
    assert min(counts) >= 10


async def test_a_server_that_is_gone_is_said_once_and_the_other_answers(tmp_path, task):
    """No row fails; the broken one is left alone after its first failures."""
    notices = []
    broken = ["500"] * 200
    with MessagesServer(_by_keyword, faults=broken) as first, MessagesServer(_by_keyword) as second:
        async with _pool(tmp_path, first, second, notices=notices) as model:
            for start in range(0, 40, 8):
                found = await _ask(model, task, [f"good film {number}" for number in range(start, start + 8)])
                assert {"positive"} == set(found.values())
    assert 40 == second.statuses[200]
    assert len(first.requests) <= 8
    assert 1 == sum("the other servers are asked" in notice for notice in notices)


async def test_when_all_are_gone_the_error_is_the_last_ones(tmp_path, task):
    """Nothing is hidden: the caller sees what a single server would have said."""
    broken = ["500"] * 20
    with MessagesServer(_by_keyword, faults=broken) as first, MessagesServer(_by_keyword, faults=broken) as second:
        async with _pool(tmp_path, first, second) as model:
            with pytest.raises(TransientError):
                await model.answer([label_prompt(task, "a", style="chat")])


async def test_each_server_has_its_own_limiter(tmp_path, task):
    """One that asks for a pause is paused alone: its call and all that follow go to the other, at once."""
    with MessagesServer(_by_keyword, faults=[Fault("429", 60.0)]) as first, MessagesServer(_by_keyword) as second:
        async with _pool(tmp_path, first, second) as model:
            with anyio.fail_after(30):
                for number in range(8):
                    await _ask(model, task, [f"good film {number}"])
    assert (1, 8) == (len(first.requests), len(second.requests))


async def test_what_is_stored_stays_when_a_server_is_added(tmp_path):
    """The answers' key is that of the first server, alone or not."""
    with MessagesServer(_by_keyword) as first, MessagesServer(_by_keyword) as second:
        async with _pool(tmp_path, first) as alone, _pool(tmp_path, first, second) as both:
            assert alone.fingerprint == both.fingerprint
            assert 2 * alone.concurrency == both.concurrency


async def test_a_list_is_for_servers_of_ones_own(tmp_path):
    """Anthropic has one address; no server may be named twice."""
    settings = LlmSettings(provider="anthropic", base_url=("http://127.0.0.1:1", "http://127.0.0.1:2"))
    with pytest.raises(ConfigError, match=r"llm\.base_url.*several servers are for llm\.provider: openai"):
        await open_chat_model(
            settings, cache=tmp_path, key_folder=tmp_path, device="cpu", emit=ignore, api_key="sk-ant-x", environ={}
        )
    with pytest.raises(ValueError, match="names each server once"):
        LlmSettings(base_url=("http://a", "http://a"))
