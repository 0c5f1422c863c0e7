"""Which process computes a local language model's answers, and that it makes no difference to them."""

from __future__ import annotations

import contextlib
import csv
import sqlite3

import pytest

from freeal.compute.device_turn import always
from freeal.compute.listener import unheard
from freeal.errors import ConfigError, ExecutorError
from freeal.executors.local_executor import LocalExecutor
from freeal.executors.ray_cluster import is_installed
from freeal.job.run_training_job import train
from freeal.job.training_job import TrainingJob
from freeal.llm.local.local_model import LocalModel
from freeal.llm.local.open_local_model import open_local_model
from freeal.llm.local.score_shard import ScoreShard
from freeal.llm.local.sharded_model import ShardedLocalModel
from freeal.settings import LlmSettings, LoopSettings, RaySettings, StudentSettings
from freeal.spec.job_spec import Spec

pytestmark = pytest.mark.anyio
CLUSTER = RaySettings(address="head:6379")
WITH_RAY = pytest.mark.skipif(not is_installed(), reason="Ray is not installed (extra `ray`)")


async def _opened(settings, ray, cache, *, texts, notice=unheard):
    return await open_local_model(settings, ray, texts=texts, cache=cache, device="cpu", turn=always, notice=notice)


@pytest.mark.parametrize(
    ("engine", "ray", "texts", "why"),
    [
        ("auto", RaySettings(), 10**9, []),
        ("auto", CLUSTER, 4_999, ["4,999 texts are fewer than llm.ray_from_texts (5,000)"]),
        ("local", CLUSTER, 10**9, ["llm.engine says so"]),
    ],
)
async def test_this_process_computes_and_says_why(tiny_causal, tmp_path, engine, ray, texts, why):
    """Without a cluster, below the least number, or where the settings say so."""
    told = []
    settings = LlmSettings(provider="local", model=str(tiny_causal), engine=engine)
    opened = await _opened(settings, ray, tmp_path, texts=texts, notice=told.append)
    async with contextlib.aclosing(opened):
        assert isinstance(opened, LocalModel)
    assert [f"the language model: engine local: {one}" for one in why] == told


async def test_ray_that_cannot_work_is_refused_with_the_key(tmp_path):
    """Before the model is loaded: without Ray there is an extra to install."""
    match = r"ray\.address.*client server" if is_installed() else r"llm\.engine.*not installed.*\[ray\]"
    settings = LlmSettings(provider="local", model="/nowhere", engine="ray")
    with pytest.raises(ConfigError, match=match):
        await _opened(settings, RaySettings(address="ray://head:10001"), tmp_path, texts=1)


async def test_another_model_under_the_same_name_is_refused(tiny_causal, tmp_path):
    """A machine of the cluster whose files differ would store its scores under our key."""
    task = ScoreShard(str(tiny_causal), tiny_causal, "local:another", tmp_path / "cache", "cpu", "fp32")
    with pytest.raises(ExecutorError, match=r"another language model under this name.*local:another"):
        # in a thread of its own, as an executor's: it starts a loop
        await _in_thread(lambda: task.open(None))


async def _in_thread(work):
    import anyio.to_thread

    return await anyio.to_thread.run_sync(work)


def _job(folder, encoder, causal, **fields):
    folder.mkdir()
    table = folder / "films.csv"
    with table.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([["text"], *([f"{'good' if n % 3 else 'bad'} film {n}"] for n in range(40))])
    return TrainingJob(
        job_id="films",
        csv=table,
        spec=Spec(name="films", description="Is it good?", labels=["good", "bad"]),
        output=folder / "output",
        work=folder / "work",
        answers=folder / "answers.sqlite",
        cache=folder / "cache",
        key_folder=folder,
        student=StudentSettings(model=str(encoder), mode="frozen", device="cpu"),
        loop=LoopSettings(iterations=1),
        **fields,
    )


def _stored(job):
    with contextlib.closing(sqlite3.connect(job.answers)) as store:
        return store.execute("SELECT key, reply FROM replies ORDER BY key").fetchall()


async def test_a_job_over_shards_stores_what_one_process_stores(tmp_path, encoder_folder, tiny_causal):
    """The same labels, the same keys; and a second job finds every answer there, whoever computed it."""
    plain = _job(
        tmp_path / "plain", encoder_folder, tiny_causal, llm=LlmSettings(provider="local", model=str(tiny_causal))
    )
    await train(plain, environ={})
    over = _job(tmp_path / "over", encoder_folder, tiny_causal)
    asked = []

    class Noting(LocalExecutor):
        """Notes how many shards it did."""

        def run(self, task, shards):
            for name in super().run(task, shards):
                asked.append(name)
                yield name

    model = await ShardedLocalModel.load(str(tiny_causal), cache=over.cache, executor=Noting(), device="cpu")
    await train(over, chat_model=model, environ={})
    assert (plain.output / "annotated.csv").read_bytes() == (over.output / "annotated.csv").read_bytes()
    assert _stored(plain) == _stored(over)
    assert asked
    asked.clear()
    again = over.model_copy(update={"output": tmp_path / "again", "work": tmp_path / "again-work"})
    await train(again, chat_model=model, environ={})
    assert [] == asked


@WITH_RAY
@pytest.mark.slow
@pytest.mark.timeout(500)
async def test_a_job_whose_settings_ask_for_ray_is_the_same_job(tmp_path, encoder_folder, tiny_causal, monkeypatch):
    """From the settings alone: processes of a cluster score, this one stores, the rows are those of one process."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    local = LlmSettings(provider="local", model=str(tiny_causal))
    plain = _job(tmp_path / "plain", encoder_folder, tiny_causal, llm=local)
    await train(plain, environ={})
    told = []
    over = _job(
        tmp_path / "over",
        encoder_folder,
        tiny_causal,
        llm=local.model_copy(update={"engine": "ray"}),
        ray=RaySettings(workers=1),
    )
    await train(over, emit=lambda event: told.append(str(event)), environ={})
    assert (plain.output / "annotated.csv").read_bytes() == (over.output / "annotated.csv").read_bytes()
    assert _stored(plain) == _stored(over)
    assert any("engine ray: llm.engine says so" in one for one in told)
