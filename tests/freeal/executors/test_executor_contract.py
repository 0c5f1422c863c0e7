"""What every executor owes: the same bytes for the same shards and task, and nothing done twice."""

from __future__ import annotations

import dataclasses
import functools
import shutil

import anyio
import pyarrow as pa
import pytest

from freeal.annotation.prompts import label_prompt
from freeal.errors import CorruptModelError
from freeal.executors.local_executor import LocalExecutor
from freeal.executors.ray_cluster import is_installed
from freeal.executors.ray_executor import RayExecutor
from freeal.executors.shard_folder import ShardFolder
from freeal.llm.local.local_model import LocalModel
from freeal.llm.local.score_shard import ScoreShard, prompt_table, replies_of_result
from freeal.prediction.sharded.shard_tasks import EmbedShard, PredictShard
from freeal.settings import RaySettings, StudentSettings
from freeal.student.frozen_trainer import FrozenTrainer
from freeal.student.labelled_texts import LabelledTexts
from freeal.testing.tiny_causal import tiny_causal
from freeal.types import Label, Task

needs_ray = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),  # the first one starts the cluster, and each has several processes import torch
    pytest.mark.skipif(not is_installed(), reason="Ray is not installed (extra `ray`)"),
]
TEXTS = [None if number % 7 == 3 else f"{'good' if number % 2 else 'bad'} film {number % 11}" for number in range(60)]


@pytest.fixture(params=["local", pytest.param("ray", marks=needs_ray)])
def executor(request):
    """Each of them."""
    if request.param == "local":
        return LocalExecutor()
    return RayExecutor(RaySettings(address=request.getfixturevalue("two_workers"), workers=2))


@pytest.fixture(scope="module")
def model(encoder_folder, tmp_path_factory):
    """A saved student."""
    trainer = FrozenTrainer(StudentSettings(model=str(encoder_folder), device="cpu"))
    data = LabelledTexts(["good film", "bad film"] * 20, [1, 0] * 20)
    folder = tmp_path_factory.mktemp("model")
    trainer.fit(data, labels=("angry", "happy"), seed=0, on_step=lambda done, total: None).student.save(folder)
    return folder


def _texts(folder, rows=25):
    ids = range(len(TEXTS))
    whole = pa.table({"row_id": pa.array(ids, pa.int64()), "text": pa.array(TEXTS, pa.large_string())})
    return ShardFolder.write(folder, (whole.slice(at, rows) for at in range(0, len(TEXTS), rows)), origin="texts")


def _prompts(folder):
    task = Task("Is it good?", (Label("good"), Label("bad")))
    asked = [label_prompt(task, text or "?", style="completion") for text in TEXTS]
    tables = (prompt_table(range(at, min(at + 40, 60)), asked[at : at + 40]) for at in (0, 40))
    return ShardFolder.write(folder, tables, origin="prompts")


def _score_shard(tmp_path):
    folder, cache = tiny_causal(tmp_path / "causal"), tmp_path / "cache"
    model = anyio.run(functools.partial(LocalModel.load, str(folder), cache=cache, device="cpu"))
    return ScoreShard(None, folder, model.fingerprint, cache, "cpu")


def _cases(model, tmp_path):
    yield PredictShard.of(model, batch_size=8), _texts
    yield EmbedShard.of(model, batch_size=8), _texts
    yield _score_shard(tmp_path), _prompts


def test_every_executor_writes_the_bytes_of_the_tasks_own_function(executor, model, tmp_path):
    """Labels, embeddings and scores of a language model are those the task computes here, file by file, byte by byte;
    rows keep their order and their ids."""
    for number, (task, cut) in enumerate(_cases(model, tmp_path)):
        expected = cut(tmp_path / f"expected-{number}")
        assert set(expected.names) == set(LocalExecutor().run(task, expected))
        found = cut(tmp_path / f"found-{number}")
        assert set(found.names) == {name for name in executor.run(task, found) if name is not None}
        for name in found.names:
            assert expected.result_file(task, name).read_bytes() == found.result_file(task, name).read_bytes()
        ids = [value for result in found.results(task) for value in result.column("row_id").to_pylist()]
        assert list(range(60)) == ids


def test_what_one_executor_has_finished_another_leaves_alone(executor, model, tmp_path):
    """A re-run does the missing shards only, whoever made the others."""
    task = PredictShard.of(model, batch_size=8)
    shards = _texts(tmp_path / "shards")
    run = LocalExecutor().run(task, shards)
    done = next(run)
    run.close()
    before = shards.result_file(task, done).stat()
    assert set(shards.names) - {done} == {name for name in executor.run(task, shards) if name is not None}
    assert before == shards.result_file(task, done).stat()
    assert [] == list(executor.run(task, shards))


def test_an_error_of_the_task_is_the_callers(executor, model, tmp_path):
    """A model that cannot be used is said as it is said without any executor; no result is left."""
    broken = tmp_path / "broken"
    shutil.copytree(model, broken)
    task = PredictShard.of(broken, batch_size=8)
    (broken / "tokenizer.json").unlink()
    shards = _texts(tmp_path / "shards")
    with pytest.raises(CorruptModelError, match=r"tokenizer.json: is missing"):
        list(executor.run(task, shards))
    assert list(shards.names) == shards.missing(task)


def test_another_model_is_another_result(model, tmp_path):
    """Results are named after the model too: those of one are never taken for those of another."""
    task = PredictShard.of(model, batch_size=8)
    shards = _texts(tmp_path / "shards")
    list(LocalExecutor().run(task, shards))
    assert list(shards.names) == shards.missing(dataclasses.replace(task, model_identity="another"))


def test_scores_come_back_as_replies(tmp_path):
    """A shard's result holds one reply per prompt, with a score for each of its labels."""
    task = _score_shard(tmp_path)
    shards = _prompts(tmp_path / "shards")
    list(LocalExecutor().run(task, shards))
    found = replies_of_result(shards.result(task, shards.names[0]))
    assert 40 == len(found)
    assert all(len(reply.scores) == 2 and reply.usage.calls == 1 for reply in found)
