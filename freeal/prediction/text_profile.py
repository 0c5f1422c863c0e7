"""What a model's training texts were like, in numbers small enough to lie in its folder.

A text is a vector of hashed words and character trigrams of unit length; texts are the mean of theirs. The distance of
two means is the maximum mean discrepancy (Gretton et al., JMLR 2012) under the kernel these vectors span. It is taken
from the texts and not from the student's own embeddings on purpose: those have been fitted to the training texts, so
that any new ones, of the same kind too, would lie elsewhere.
"""

from __future__ import annotations

import dataclasses
import json
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from freeal.errors import CorruptModelError, Where
from freeal.files import atomic_write

FILE_NAME = "training_profile.json"
FORMAT = 1
DIMENSIONS = 512
READ_CHARACTERS = 1_000
"""Of a long text: kind and language show by then."""
SAMPLE_ROWS = 4_000
RESAMPLED_ROWS = (30, 100, 300, 1_000)
RESAMPLES = 400
CHANCE = 0.99
"""Share of samples of the training data itself that stay below the threshold."""
_WORDS = re.compile(r"\w+|[^\w\s]")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TextProfile:
    """Of `rows` training rows: `center`, the mean vector; `spread`, the mean squared distance from it; `threshold`,
    what the squared distance of the mean of n of them stays below in 99 of 100 samples, times n; `longest`, characters
    of the longest; `empty_share`; `label_shares` by label (of several their sum may be more than 1) and
    `mean_confidence`, of the student on them."""

    rows: int
    center: tuple[float, ...]
    spread: float
    threshold: float
    longest: int
    empty_share: float
    label_shares: dict[str, float]
    mean_confidence: float


def text_vectors(texts: Sequence[str]) -> np.ndarray:
    """Float32 [len(texts), DIMENSIONS], of unit length; zeros for a text without a visible character."""
    found = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
    for row, text in enumerate(texts):
        for word in _WORDS.findall(text[:READ_CHARACTERS].lower()):
            padded = f"<{word}>"
            for piece in (word, *(padded[start : start + 3] for start in range(len(padded) - 2))):
                code = zlib.crc32(piece.encode("utf-8", "surrogatepass"))
                found[row, code % DIMENSIONS] += 1.0 if code & 0x10000 else -1.0
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    return np.asarray(found / np.maximum(lengths, 1e-12), dtype=np.float32)


def profile_of_texts(
    texts: Sequence[str], given: Sequence[Sequence[str]], confidences: np.ndarray, labels: Sequence[str]
) -> TextProfile:
    """Of the training rows: their texts ("" for an empty one), and of those with text, in the same order, what the
    student says: the names it gives of the `labels`, one or several, and its confidence [rows with text]."""
    full = [text for text in texts if text]
    sample = full[:: max(1, -(-len(full) // SAMPLE_ROWS))]
    points = text_vectors(sample)
    center = points.mean(axis=0)
    counts = Counter(name for names in given for name in names)
    shares = [counts[label] / max(1, len(given)) for label in labels]
    return TextProfile(
        rows=len(sample),
        center=tuple(round(float(value), 6) for value in center),
        spread=float(np.sum((points - center) ** 2, axis=1).mean()),
        threshold=_distance_threshold(points, center),
        longest=max(map(len, full)),
        empty_share=1.0 - len(full) / len(texts),
        label_shares={label: round(float(share), 6) for label, share in zip(labels, shares, strict=True)},
        mean_confidence=round(float(np.mean(confidences)), 6),
    )


def _distance_threshold(points: np.ndarray, center: np.ndarray) -> float:
    """The quantile of rows * squared distance over samples, drawn with replacement, of several sizes: the largest."""
    rng = np.random.default_rng(0)
    found = []
    even = np.full(len(points), 1.0 / len(points))
    for rows in RESAMPLED_ROWS:
        drawn = rng.multinomial(rows, even, size=RESAMPLES).astype(np.float32) / rows
        squared = np.sum((drawn @ points - center) ** 2, axis=1)
        found.append(float(np.quantile(rows * squared, CHANCE)))
    return max(found)


def write(folder: Path, content: TextProfile) -> None:
    """Put it into a model folder."""
    atomic_write.write_json(folder / FILE_NAME, {"format": FORMAT, **dataclasses.asdict(content)})


def read_profile(folder: Path) -> TextProfile | None:
    """The profile of a model folder; None where it has none, or one of a later format. Raises `CorruptModelError`."""
    path = folder / FILE_NAME
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("format") != FORMAT:
            return None
        found = TextProfile(**content | {"center": tuple(map(float, content["center"]))})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as cause:
        problem = f"cannot be read: {cause}"
        raise CorruptModelError(problem, where=Where(file=path), hint="delete it: drift is then not judged") from cause
    if len(found.center) != DIMENSIONS:
        raise CorruptModelError(
            f"has {len(found.center)} values under center, not {DIMENSIONS}",
            where=Where(file=path),
            hint="delete it: drift is then not judged",
        )
    return found
