"""sd_notify(3): readiness, status and heartbeat for systemd. Without systemd nothing happens."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping

import structlog

_log = structlog.get_logger(__name__)

EXTENSION_SECONDS = 30.0
"""What each sign of life while stopping adds to TimeoutStopSec: three heartbeats. Calls under way are paid for, and
`llm.timeout_seconds` says how long they may take."""
_EXTENSION = f"EXTEND_TIMEOUT_USEC={EXTENSION_SECONDS * 1e6:.0f}"


class Notifier:
    """Sends datagrams to the socket systemd names in NOTIFY_SOCKET (`@` at its start: an abstract one)."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        if self._address.startswith("@"):
            self._address = "\0" + self._address[1:]
        watchdog_pid = environment.get("WATCHDOG_PID", "")
        mine = not watchdog_pid or watchdog_pid == str(os.getpid())
        microseconds = environment.get("WATCHDOG_USEC", "")
        self._is_stopping = False
        self._watchdog_seconds = int(microseconds) / 1e6 if mine and microseconds.isdigit() else None

    @property
    def heartbeat_seconds(self) -> float | None:
        """How often `alive` is due: a third of what systemd allows; None when it does not watch us."""
        return None if self._watchdog_seconds is None else self._watchdog_seconds / 3

    def ready(self) -> None:
        """The service takes work."""
        self._notify_systemd(f"READY=1\nMAINPID={os.getpid()}")

    def reloading(self) -> None:
        """The settings are read again; `ready` says when that is over. systemd compares the time with its request's."""
        self._notify_systemd(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._notify_systemd(f"STATUS={text}")

    def alive(self) -> None:
        """The service does its work."""
        self._notify_systemd(f"WATCHDOG=1\n{_EXTENSION}" if self._is_stopping else "WATCHDOG=1")

    def stopping(self) -> None:
        """No new work is taken; what is under way may outlast TimeoutStopSec while there are signs of life."""
        self._is_stopping = True
        self._notify_systemd(f"STOPPING=1\n{_EXTENSION}")

    def _notify_systemd(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.settimeout(1.0)
                channel.sendto(message.encode(), self._address)
        except OSError as cause:
            _log.warning("systemd could not be told", problem=str(cause))
