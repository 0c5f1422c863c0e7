"""Which students a job may choose from, how large they are and how much work a text is to them. Loads no torch."""

from __future__ import annotations

import dataclasses
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from freeal.errors import ConfigError
from freeal.settings import StudentSettings
from freeal.student.encoder import encoder_weights
from freeal.student.encoder.encoder_weights import PACKAGED, Weights
from freeal.types import COMPARE, MOST_STUDENTS, TFIDF

PACKAGED_LAYER_WEIGHTS = 10_646_784
"""Of all-MiniLM-L6-v2, those of its six layers: what a token is multiplied with. Its work counts as 1."""
TFIDF_WORK = 1 / 64
"""Counting words takes about a sixtieth of the packaged encoder's time for a text, on two cores."""
UNKNOWN_WORK = 4.0
"""Of an encoder that is not on this machine yet: that of distilroberta-base."""
_ENCODERS = frozenset(
    {
        "albert",
        "bert",
        "camembert",
        "deberta-v2",
        "distilbert",
        "electra",
        "modernbert",
        "mpnet",
        "roberta",
        "xlm-roberta",
    }
)
"""Kinds of model in the hub's cache that are encoders; others there may be anything."""


@dataclasses.dataclass(frozen=True, slots=True)
class Candidate:
    """A student by its name in `student.model`; `work` for a text beside the packaged encoder's, `size_bytes` on disk,
    None where it is known once it is trained."""

    name: str
    work: float
    size_bytes: int | None


def named(settings: StudentSettings) -> tuple[str, ...]:
    """The students that `student.model` names, in its order; for `compare` those at hand: the packaged encoder,
    words, then encoders in the hub's cache, the smallest first."""
    if settings.model == COMPARE:
        return tuple(_at_hand())[:MOST_STUDENTS]
    return (settings.model,) if isinstance(settings.model, str) else settings.model


def candidate(name: str) -> Candidate:
    """What is known of one before it is trained. Raises `ConfigError` where its encoder cannot be had."""
    if name == TFIDF:
        return Candidate(name, TFIDF_WORK, None)
    weights = encoder_weights.resolve(name)
    return Candidate(name, layer_weights(weights) / PACKAGED_LAYER_WEIGHTS, _size(weights))


def expected_work(name: str) -> float:
    """The same work for whoever only wants to know how long it will take: nothing is fetched, nothing refused."""
    if name == TFIDF:
        return TFIDF_WORK
    if name in (PACKAGED, "auto"):
        return 1.0
    try:
        found = encoder_weights.on_disk(name)
    except ConfigError:
        found = None
    return UNKNOWN_WORK if found is None else layer_weights(found) / PACKAGED_LAYER_WEIGHTS


def layer_weights(weights: Weights) -> int:
    """How many numbers a token is multiplied with: all but the embeddings, of which it takes a row."""
    count = 0
    for file in sorted(weights.folder.glob("*.safetensors")):
        for name, tensor in _header(file).items():
            if name != "__metadata__" and "embedding" not in name:
                size = 1
                for length in tensor["shape"]:
                    size *= length
                count += size
    return max(1, count)


def _header(file: Path) -> dict[str, Any]:
    """What a safetensors file says it holds: its first eight bytes are the length of that, as JSON."""
    with file.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        found: dict[str, Any] = json.loads(stream.read(length))
    return found


def _size(weights: Weights) -> int:
    return sum(file.stat().st_size for file in weights.folder.glob("*.safetensors"))


def _at_hand() -> Iterator[str]:
    if encoder_weights.packaged() is not None:
        yield PACKAGED
    yield TFIDF
    found = []
    for repo in encoder_weights.cached_repositories():
        weights = encoder_weights.on_disk(repo)
        if weights is not None and _is_encoder(weights.folder):
            found.append((layer_weights(weights), repo))
    yield from (repo for _, repo in sorted(found))


def _is_encoder(folder: Path) -> bool:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return config.get("model_type") in _ENCODERS and "auto_map" not in config
