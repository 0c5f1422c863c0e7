"""What every test has: no network but loopback, no model hub, no key of the developer's own."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import structlog

from freeal.compute import cpu_threads

MEMORY = Path("/dev/shm")  # noqa: S108
ROOM_BYTES = 2 * 2**30


def _is_roomy(folder: Path) -> bool:
    """Whether tests may write there, run what they wrote, and will not fill it."""
    if not os.access(folder, os.W_OK):
        return False
    system = os.statvfs(folder)
    return system.f_bavail * system.f_frsize >= ROOM_BYTES and not system.f_flag & os.ST_NOEXEC


if _is_roomy(MEMORY):  # the thousands of times that files and journals are synced cost minutes on a disk
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", os.fspath(MEMORY))
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)  # busy machines are no faults
hypothesis.settings.load_profile("repeatable")  # `make test-all` looks for other examples each time
os.environ.update(cpu_threads.ENVIRONMENT)
os.environ["OMP_NUM_THREADS"] = "1"  # the workers of a test run are parallel already
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
for _name in (
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_API_KEY_FILE",
    "ANTHROPIC_AUTH_TOKEN",
    "OPENAI_API_KEY",
    "CREDENTIALS_DIRECTORY",
):
    os.environ.pop(_name, None)


class NetworkForbiddenError(AssertionError):
    """A test tried to leave this machine."""


def _is_loopback(address: object) -> bool:
    if not isinstance(address, tuple):
        return True  # a Unix socket
    host = address[0]
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection that would leave the machine."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def guarded_connect(self: socket.socket, address: object) -> None:
        if not _is_loopback(address):
            raise NetworkForbiddenError(f"a test tried to connect to {address!r}")
        return connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: object) -> int:
        if not _is_loopback(address):
            raise NetworkForbiddenError(f"a test tried to connect to {address!r}")
        return connect_ex(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket.socket, "connect_ex", guarded_connect_ex)


@pytest.fixture(autouse=True)
def _own_log() -> Iterator[None]:
    """Take back what a test configured: its stream ends with it, and the next one's lines would be lost in it."""
    yield
    structlog.reset_defaults()
