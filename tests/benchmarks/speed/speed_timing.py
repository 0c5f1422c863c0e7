"""Ways to do the same work, timed in turn: a machine that others use is slow for all of them alike."""

from __future__ import annotations

import dataclasses
import functools
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_PRODUCTS = 5


@dataclasses.dataclass(frozen=True)
class Seconds:
    """How long one run of a way took: of the processor, all threads together, and by the clock."""

    processor: float
    clock: float


@dataclasses.dataclass
class Way:
    """A way's runs, and what its last one gave."""

    seconds: list[Seconds] = dataclasses.field(default_factory=list)
    results: list[object] = dataclasses.field(default_factory=list)

    @property
    def processor(self) -> float:
        """Median over the runs."""
        return statistics.median(one.processor for one in self.seconds)

    @property
    def clock(self) -> float:
        """Median over the runs."""
        return statistics.median(one.clock for one in self.seconds)


def timed(work: Callable[[], object]) -> tuple[Seconds, object]:
    """The work done once."""
    processor, clock = time.process_time(), time.perf_counter()
    result = work()
    return Seconds(time.process_time() - processor, time.perf_counter() - clock), result


def in_turn(ways: Mapping[str, Callable[[int], object]], runs: Sequence[int]) -> dict[str, Way]:
    """Every way once per run (it is told which), one after the other, so that each run meets the same machine."""
    found = {name: Way() for name in ways}
    for run in runs:
        for name, work in ways.items():
            seconds, result = timed(functools.partial(work, run))
            found[name].seconds.append(seconds)
            found[name].results.append(result)
    return found


def ratio(slow: Way, fast: Way) -> float:
    """How many times as fast: the median over the runs of processor time against processor time of the same run."""
    pairs = zip(slow.seconds, fast.seconds, strict=True)
    return statistics.median(one.processor / max(other.processor, 1e-9) for one, other in pairs)


def _products(left: Any, right: Any) -> None:
    for _ in range(_PRODUCTS):
        left @ right


def matrix_peak() -> dict[str, float]:
    """Billions of floating point operations a second of the processor that large matrix products reach here, by type:
    the most of three tries."""
    import torch

    found = {}
    for kind in (torch.bfloat16, torch.float32):
        left, right = (torch.randn(shape).to(kind) for shape in ((1024, 1536), (1536, 1536)))
        operations = 2 * left.shape[0] * left.shape[1] * right.shape[1]
        products = functools.partial(_products, left, right)
        tries = [timed(products)[0].processor for _ in range(3)]
        found[str(kind).removeprefix("torch.")] = _PRODUCTS * operations / min(tries) / 1e9
    return found
