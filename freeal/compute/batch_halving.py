"""Batches that fit into memory: halved when they do not, down to a single text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, TypeVar

import numpy as np
import torch

from freeal.compute.device_errors import is_out_of_memory, named_device_error, released
from freeal.compute.listener import Listener

T = TypeVar("T")
Work = Literal["training", "scoring"]


class Room:
    """How many texts fit on the device at once, as far as is known: nothing at first, less after every failure.

    `most_texts` is what an earlier process could not exceed. `listener` is told when a batch is halved.
    """

    def __init__(self, most_texts: int | None = None, *, listener: Listener | None = None) -> None:
        self.listener = listener or Listener()
        self._most: dict[Work, int | None] = {"training": most_texts, "scoring": most_texts}

    @property
    def most_trained(self) -> int | None:
        """How many texts are trained on at once at most, as far as is known."""
        return self._most["training"]

    def at_once(self, work: Work, wanted: int) -> int:
        """How many of `wanted` texts to take together, at least one."""
        most = self._most[work]
        return max(1, wanted if most is None else min(wanted, most))

    def halve_batch(self, work: Work, tried: int, error: Exception) -> None:
        """`tried` texts at once failed with `error`: take half from now on.

        Raises `TrainingError` where it was a single text, `DeviceError` for a device that failed, and any other error
        as it is. To be called when the failed computation's tensors are gone.
        """
        if not is_out_of_memory(error) or tried <= 1:
            known = named_device_error(error)
            if known is error:
                raise error
            raise known from error
        self._most[work] = tried // 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self.listener.on_notice(f"{work} ran out of memory with {tried} texts at once: it goes on with {tried // 2}")

    def pieces(
        self, work: Work, batch: np.ndarray, compute: Callable[[np.ndarray], T]
    ) -> Iterator[tuple[np.ndarray, T]]:
        """`compute` of a batch [n], whole where it fits, else piece by piece in order, each with its indices."""
        start = 0
        while start < len(batch):
            piece = batch[start : start + self.at_once(work, len(batch))]
            try:
                result = compute(piece)
            except (RuntimeError, MemoryError) as error:
                problem = released(error)
            else:
                yield piece, result
                start += len(piece)
                continue
            self.halve_batch(work, len(piece), problem)
