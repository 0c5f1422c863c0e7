"""Which engine labels a table, and what the user is told."""

from __future__ import annotations

import pytest

from freeal.errors import ConfigError
from freeal.executors.ray_cluster import is_installed
from freeal.prediction.run_by_engine import choose_engine
from freeal.settings import PredictSettings, RaySettings

CLUSTER = RaySettings(address="head:6379")


def test_without_a_cluster_this_process_computes():
    """However large the table: on one machine Ray has nothing to add."""
    assert "engine local: no ray.address is set" == str(choose_engine(PredictSettings(), RaySettings(), rows=10**9))


def test_a_small_table_is_not_worth_a_cluster():
    """The reason names the setting and both numbers."""
    found = choose_engine(PredictSettings(ray_from_rows=1_000), CLUSTER, rows=999)
    assert "engine local: 999 rows are fewer than predict.ray_from_rows (1,000)" == str(found)


def test_a_large_table_goes_to_the_cluster_that_is_named():
    """From `ray_from_rows` on, where Ray is installed; else the reason says that it is not."""
    found = choose_engine(PredictSettings(ray_from_rows=1_000), CLUSTER, rows=1_000)
    if is_installed():
        assert "engine ray: 1,000 rows, from predict.ray_from_rows (1,000) on" == str(found)
    else:
        assert "engine local: ray.address is set, but Ray is not installed here" == str(found)


def test_local_is_local():
    """What was said holds, with a cluster too."""
    assert "local" == choose_engine(PredictSettings(engine="local"), CLUSTER, rows=10**9).engine


def test_ray_that_cannot_work_is_refused_with_the_key():
    """A client address cannot see this machine's files; without Ray there is an extra to install."""
    match = r"ray\.address.*client server" if is_installed() else r"predict\.engine.*not installed.*\[ray\]"
    with pytest.raises(ConfigError, match=match):
        choose_engine(PredictSettings(engine="ray"), RaySettings(address="ray://head:10001"), rows=1)
