"""freeal/executors/ray_cluster.py: what is said where no cluster comes up, without one."""

from __future__ import annotations

import importlib.machinery
import sys
import types

import pytest

from freeal.errors import ExecutorError
from freeal.executors import ray_cluster
from freeal.settings import RaySettings


def test_a_node_that_a_busy_machine_does_not_bring_up_in_time_is_said(monkeypatch):
    """Ray raises the plain `Exception` for it after half a minute; ours says what to do."""

    def init(**_):
        raise Exception("The current node timed out during startup.\nThis could happen because ...")  # noqa: TRY002

    ray = types.ModuleType("ray")
    ray.__spec__ = importlib.machinery.ModuleSpec("ray", None)
    ray.init = init
    monkeypatch.setitem(sys.modules, "ray", ray)
    for name in (*ray_cluster.LOOPBACK, "RAY_AUTH_TOKEN"):
        monkeypatch.setenv(name, "")  # what is set for Ray ends with the test
    with (
        pytest.raises(ExecutorError, match=r"could not be started: The current node timed out.*try again when"),
        ray_cluster.joined_cluster(RaySettings()),
    ):
        pass
