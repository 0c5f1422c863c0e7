"""What a cluster may do to us: nodes and processes that end, clusters that are not there, and who may reach it."""

from __future__ import annotations

import shutil
from collections import Counter

import pyarrow as pa
import pytest

from freeal.errors import ConfigError, ExecutorError
from freeal.executors.local_executor import LocalExecutor
from freeal.executors.ray_cluster import is_installed
from freeal.executors.ray_executor import RayExecutor
from freeal.executors.shard_folder import ShardFolder
from freeal.settings import RaySettings
from freeal.testing.noted_task import NotedTask

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.skipif(not is_installed(), reason="Ray is not installed (extra `ray`)"),
]


@pytest.fixture
def shards(tmp_path):
    """Twelve shards of five rows."""
    tables = (pa.table({"row_id": pa.array(range(at, at + 5), pa.int64())}) for at in range(0, 60, 5))
    return ShardFolder.write(tmp_path / "shards", tables, origin="rows")


def test_a_node_that_is_killed_costs_no_more_than_what_it_had_begun(tmp_path, shards, cluster):
    """The output is complete, each row in its place, and that of one process byte by byte; at most the shard under way
    and one whose result had not been fetched are done twice."""
    shutil.copytree(shards.folder, tmp_path / "alone")
    alone, by_one = (
        ShardFolder(tmp_path / "alone", shards.names, rows=shards.rows),
        NotedTask(tmp_path / "notes of one"),
    )
    assert sorted(shards.names) == sorted(LocalExecutor().run(by_one, alone))
    task = NotedTask(tmp_path / "notes", seconds=0.5)
    with cluster(workers=2) as (address, kill):
        run = RayExecutor(RaySettings(address=address)).run(task, shards)
        done = [next(name for name in run if name is not None)]
        kill()
        done += [name for name in run if name is not None]
    assert sorted(shards.names) == sorted(done)
    assert list(range(60)) == [row for result in shards.results(task) for row in result.column("row_id").to_pylist()]
    for name in shards.names:
        assert alone.result_file(by_one, name).read_bytes() == shards.result_file(task, name).read_bytes()
    begun = Counter(task.begun())
    assert set(range(0, 60, 5)) == set(begun)
    assert len(task.begun()) <= 12 + 2


def test_a_shard_that_ends_its_worker_again_and_again_is_an_error_and_the_others_stay(tmp_path, shards):
    """It is tried three times; the error names it and what to do, and the same call goes on with the rest."""
    task = NotedTask(tmp_path / "notes", dies_at=30)
    with pytest.raises(ExecutorError, match=r"3 workers began shard-000006-.*predict\.shard_rows"):
        list(RayExecutor(RaySettings(workers=1)).run(task, shards))
    assert 3 == Counter(task.begun())[30]


def test_closing_ends_the_cluster_and_what_is_finished_stays(tmp_path, shards, of_clusters):
    """No process of it is left; the next run does the others."""
    task, before = NotedTask(tmp_path / "notes", seconds=0.2), of_clusters()
    run = RayExecutor(RaySettings(workers=1)).run(task, shards)
    first = next(name for name in run if name is not None)
    assert of_clusters() - before
    run.close()
    assert first not in shards.missing(task)
    assert set() == of_clusters() - before
    assert 0 < len(shards.missing(task)) < 12


def test_no_cluster_at_the_address_is_said_with_the_key(tmp_path, shards):
    """Nothing waits for ever for one that is not there."""
    with pytest.raises(ConfigError, match=r"ray\.address.*no Ray cluster that answers"):
        list(RayExecutor(RaySettings(address="127.0.0.1:1")).run(NotedTask(tmp_path / "notes"), shards))


def test_a_cluster_of_our_own_listens_on_the_loopback_alone(tmp_path, shards, listening, beyond_loopback):
    """While it works, none of the sockets that its processes listen on is bound to another address."""
    before = listening()
    run = RayExecutor(RaySettings(workers=1)).run(NotedTask(tmp_path / "notes", seconds=0.2), shards)
    next(name for name in run if name is not None)
    found = listening() - before
    run.close()
    assert found
    assert set() == beyond_loopback(found)
