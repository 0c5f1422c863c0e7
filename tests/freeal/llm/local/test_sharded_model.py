"""A local language model over shards is the local language model."""

from __future__ import annotations

import contextlib

import pytest

from freeal.annotation.prompts import label_prompt, writing_prompt
from freeal.errors import RowRejectedError
from freeal.executors.local_executor import LocalExecutor
from freeal.llm.local import sharded_model
from freeal.llm.local.local_model import LocalModel
from freeal.llm.local.sharded_model import ShardedLocalModel
from freeal.types import Label, Task

pytestmark = pytest.mark.anyio
TASK = Task("Classify the film.", (Label("positive"), Label("negative")))


@pytest.fixture
async def both(tiny_causal, tmp_path):
    """The model as it is, and over shards."""
    told = {"cache": tmp_path / "cache", "device": "cpu", "precision": "fp32"}
    plain = await LocalModel.load(str(tiny_causal), **told)
    sharded = await ShardedLocalModel.load(str(tiny_causal), executor=LocalExecutor(), **told)
    async with contextlib.aclosing(plain), contextlib.aclosing(sharded):
        yield plain, sharded


async def test_answers_and_their_key_are_the_models_own(both):
    """Scores bit for bit, usage, order and fingerprint: what either was asked, the other finds in the store."""
    plain, sharded = both
    size = sharded_model.SHARD_PROMPTS
    prompts = [
        label_prompt(TASK, f"{'good' if n % 2 else 'bad'} film {n}", style="completion") for n in range(size + 9)
    ]
    expected = await plain.answer(prompts[:size]) + await plain.answer(prompts[size:])
    assert expected == await sharded.answer(prompts)
    assert (plain.fingerprint, plain.model, plain.style) == (sharded.fingerprint, sharded.model, sharded.style)


async def test_it_writes_nothing(both):
    """A prompt that wants a text is refused as the model itself refuses it."""
    prompt = writing_prompt(TASK, TASK.labels[0], prototypes=["a film"], count=1)
    with pytest.raises(RowRejectedError, match="scores labels"):
        await both[1].answer([prompt])
