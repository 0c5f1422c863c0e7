"""The kernel's own count (daemon/host/memory_kills.py)."""

from __future__ import annotations

from daemon.host.memory_kills import kernel_memory_kills


def test_the_kernel_tells_how_often_it_killed_for_memory(tmp_path):
    """A number on Linux; None where there is no such file or no such line."""
    (tmp_path / "vmstat").write_text("nr_free_pages 12\noom_kill 7\n")
    (tmp_path / "older").write_text("nr_free_pages 12\n")
    found = [kernel_memory_kills(tmp_path / name) for name in ("vmstat", "older", "missing")]
    assert [7, None, None] == found
