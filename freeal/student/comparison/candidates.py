"""Which students a job may choose from, how large they are and how much work a text is to them. Loads no torch."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from freeal.errors import ConfigError
from freeal.setting_values import MOST_STUDENTS
from freeal.settings import StudentSettings
from freeal.student.encoder import locate_encoder
from freeal.student.encoder.locate_encoder import PACKAGED, Weights
from freeal.types import COMPARE, TFIDF

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


def named_candidates(settings: StudentSettings) -> tuple[str, ...]:
    """The students that `student.model` names, in its order; for `compare` those at hand: the packaged encoder,
    words, then encoders in the hub's cache, the smallest first."""
    if settings.model == COMPARE:
        return tuple(_encoders_at_hand())[:MOST_STUDENTS]
    return (settings.model,) if isinstance(settings.model, str) else settings.model


def candidate(name: str) -> Candidate:
    """What is known of one before it is trained. Raises `ConfigError` where its encoder cannot be had."""
    if name == TFIDF:
        return Candidate(name, TFIDF_WORK, None)
    weights = locate_encoder.resolve_weights(name)
    return Candidate(name, layer_weights(weights) / PACKAGED_LAYER_WEIGHTS, _size(weights))


def expected_work(name: str) -> float:
    """The same work for whoever only wants to know how long it will take: nothing is fetched, nothing refused."""
    if name == TFIDF:
        return TFIDF_WORK
    try:
        found = locate_encoder.weights_on_disk(name)
        if found is None:
            return UNKNOWN_WORK
        return 1.0 if found.name == PACKAGED else layer_weights(found) / PACKAGED_LAYER_WEIGHTS
    except ConfigError:
        return UNKNOWN_WORK


def layer_weights(weights: Weights) -> int:
    """How many numbers a token is multiplied with: all but the embeddings, of which it takes a row; those that several
    layers share, once for each. Raises `ConfigError` for weights that cannot be read."""
    from safetensors import SafetensorError, safe_open

    count = 0
    for file in sorted(weights.folder.glob("*.safetensors")):
        try:
            with safe_open(file, framework="np") as tensors:
                layers = [name for name in tensors.keys() if "embedding" not in name]  # noqa: SIM118  # no mapping
                count += sum(math.prod(tensors.get_slice(name).get_shape()) for name in layers)
        except (OSError, SafetensorError) as cause:
            raise ConfigError(
                f"student.model: {file} cannot be read: {cause}", hint="fetch it again; a file of git-lfs is a pointer"
            ) from cause
    config = _config_of_candidate(weights.folder)
    shared = config.get("num_hidden_layers", 1) / config.get("num_hidden_groups", 1)
    return max(1, round(count * (shared if config.get("model_type") == "albert" else 1)))


def _config_of_candidate(folder: Path) -> dict[str, Any]:
    """The config.json of an encoder that is a candidate. Raises `ConfigError` where it cannot be read."""
    path = folder / "config.json"
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as cause:
        raise ConfigError(f"student.model: {path} cannot be read: {cause}", hint="fetch it again") from cause
    return found


def _size(weights: Weights) -> int:
    return sum(file.stat().st_size for file in weights.folder.glob("*.safetensors"))


def _encoders_at_hand() -> Iterator[str]:
    if locate_encoder.packaged_weights() is not None:
        yield PACKAGED
    yield TFIDF
    found = []
    for repo in locate_encoder.cached_repositories():
        try:
            weights = locate_encoder.weights_on_disk(repo)
            if weights is not None and _is_encoder(weights.folder):
                found.append((layer_weights(weights), repo))
        except ConfigError:  # half of a download: it is not at hand
            continue
    yield from (repo for _, repo in sorted(found))


def _is_encoder(folder: Path) -> bool:
    config = _config_of_candidate(folder)
    return config.get("model_type") in _ENCODERS and "auto_map" not in config
