"""Whose turn it is on the device: of several jobs on one machine, one at a time trains, embeds or scores there.

A job in a process of its own asks whoever started it; a job that is alone just goes. The turn is held around single
pieces of work (one fit, one call of a local model), so what waits for the network leaves the device to others.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

DeviceTurn = Callable[[], AbstractAsyncContextManager[None]]
"""Called for each piece of work. Entering waits, cancellably, until the device is ours; a turn is not taken twice."""


@contextlib.asynccontextmanager
async def always() -> AsyncIterator[None]:
    """The turn of a job that is alone: at once, every time."""
    yield
