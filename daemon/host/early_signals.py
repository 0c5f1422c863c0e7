"""SIGHUP before the service listens: by itself it would kill a process that is still starting.

Nothing is imported here but what the interpreter has loaded anyway: this is installed before all else.
"""

from __future__ import annotations

import signal

_held: list[int] = []


def hold_hangups() -> None:
    """From now on a SIGHUP is remembered, until somebody opens a receiver of his own."""
    signal.signal(signal.SIGHUP, lambda number, _: _held.append(number))


def take_hangup() -> bool:
    """Whether one came since."""
    came = bool(_held)
    _held.clear()
    return came
