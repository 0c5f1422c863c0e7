"""Answers to texts seen before, in bounded memory: a million identical rows cost one forward pass.

Two generations: when the younger is full it becomes the older one, and what was older is forgotten. A text that is
found again counts as young. So the texts used last are known, and nothing is sorted.
"""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np

DIGEST_BYTES = 16
"""Two of ten million texts share a digest with a probability below 1e-24."""
MEMORY_BYTES = 100_000_000
"""Upper bound over both generations, measured overhead of Python's objects included."""
ENTRY_BYTES = 270
"""Of one entry beside its probabilities: two bytes objects and their places in a dict that has just grown."""


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What the student said: probabilities float32 [labels], and whether it read the text only in part."""

    proba: np.ndarray
    cut: bool


def digest(text: str) -> bytes:
    """The key of a text. Lone surrogates are texts too."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).digest()


class Memory:
    """Digest -> answer of one model. Written by one thread; another may ask `knows` meanwhile."""

    def __init__(self, labels: int, *, limit_bytes: int = MEMORY_BYTES) -> None:
        self.capacity = max(1, limit_bytes // 2 // (ENTRY_BYTES + 4 * labels))
        """Entries of one generation."""
        self._young: dict[bytes, bytes] = {}
        self._old: dict[bytes, bytes] = {}

    def knows(self, key: bytes) -> bool:
        """Whether `find` would answer now."""
        return key in self._young or key in self._old

    def find(self, key: bytes) -> Answer | None:
        """The answer, if it is still known."""
        found = self._young.get(key)
        if found is None:
            found = self._old.get(key)
            if found is None:
                return None
            self._keep(key, found)
        return Answer(np.frombuffer(found, dtype=np.float32, offset=4), found[0] == 1)

    def add(self, key: bytes, answer: Answer) -> None:
        """Remember an answer."""
        self._keep(key, (b"\x01" if answer.cut else b"\x00") + b"\x00\x00\x00" + answer.proba.tobytes())

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def _keep(self, key: bytes, value: bytes) -> None:
        if len(self._young) >= self.capacity:
            self._young, self._old = {}, self._young
        self._young[key] = value
