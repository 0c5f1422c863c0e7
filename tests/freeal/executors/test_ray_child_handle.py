"""The child process in which Ray runs, without Ray (freeal/executors/ray_child_handle.py)."""

from __future__ import annotations

import tempfile

import pytest

from freeal.executors import ray_child_handle


@pytest.mark.parametrize("size", [100, 200_000])
def test_a_child_that_ends_before_it_has_read_its_order_says_why(monkeypatch, size):
    """Also where the order is more than a pipe holds."""
    monkeypatch.setattr(ray_child_handle, "MODULE", "freeal.no_such_module")
    with tempfile.TemporaryFile() as log:
        child = ray_child_handle.RayChild(b"x" * size, log)
        assert {"ended": True} == child.next_message(30.0)
        assert "no_such_module" in child.how_it_ended()
        child.end_ray_child()
