"""How many threads may compute, and how they wait for each other, so that a machine that does other things too is not
slowed to a crawl.

By default libgomp's threads spin while they wait for each other, which on a machine that also does something else costs
nearly everything: 300 rows of movie reviews were scored at 2.7 rows/s with the default and at 29.5 rows/s with threads
that sleep. libgomp reads how to wait when torch is loaded and never again, so `import freeal` says it before
(`wait_asleep`); where torch was there first, fewer threads are used instead (`allowed`).
"""

from __future__ import annotations

import functools
import math
import os
import sys
from pathlib import Path

ENVIRONMENT = {"OMP_WAIT_POLICY": "PASSIVE"}
"""Must stand in the environment before torch is imported."""

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def wait_asleep() -> bool:
    """Have threads sleep while they wait, unless the user said otherwise; whether they were told in time."""
    if "torch" in sys.modules:
        return "OMP_WAIT_POLICY" in os.environ  # else nobody had told them before torch came
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    return True


@functools.cache
def allowed() -> int:
    """Threads to compute with at most: one per core that this process may use, and where they cannot be told to sleep,
    none for the cores that were busy when this was first asked."""
    return threads(cores(), busy=0.0 if wait_asleep() else _load())


def threads(own_cores: int, *, busy: float) -> int:
    """Threads for so many cores of which `busy` are at work for others; at least one."""
    return max(1, own_cores - round(busy))


def cores(quota: Path = _QUOTA) -> int:
    """Cores this process may use: a container, `taskset` or a quota may allow fewer than the machine has."""
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        most, _, period = quota.read_text(encoding="ascii").partition(" ")
        share = math.ceil(int(most) / int(period))
    except (OSError, ValueError):  # no such kernel, no quota ("max")
        return own
    return max(1, min(own, share))


def _load() -> float:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
