"""`freeal.json` beside a saved student: what transformers' own config has no place for. Light to import."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from freeal.errors import CorruptModelError, NewerFormatError, Where
from freeal.settings import LongTexts

FILE_NAME = "freeal.json"
SCHEMA_VERSION = 3
"""2 knows `long_texts`, 3 several labels and their `thresholds`; what has neither is still written as 1, which earlier
versions can use."""
_OTHERS_OF_A_MODEL = ("config.json", "terms.json")
OWN = "own"
"""The `mode` of a student of another kind than ours: whoever made it loads it."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """How a student was made and must be used.

    `temperature` is already inside the weights and kept as a record; of texts longer than `max_length` tokens it reads
    what `long_texts` says. `thresholds`, of a student that gives several labels, are the probabilities from which it
    gives each; empty otherwise. `extra` is the caller's own (text columns, job).
    """

    labels: tuple[str, ...]
    base_model: str
    mode: str
    max_length: int
    temperature: float
    long_texts: LongTexts = "head"
    thresholds: tuple[float, ...] = ()
    extra: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def schema_version(self) -> int:
        """The earliest that knows what it says."""
        if self.thresholds:
            return SCHEMA_VERSION
        return 1 if self.long_texts == "head" else 2


def write_card(folder: Path, card: Card) -> None:
    """Write the card into a model folder."""
    content = {"schema_version": card.schema_version, **dataclasses.asdict(card)}
    if not card.thresholds:
        del content["thresholds"]
    text = json.dumps(content, indent=2, ensure_ascii=False)
    (folder / FILE_NAME).write_text(text + "\n", encoding="utf-8")


def write_own(folder: Path, *, labels: Sequence[str], model: str) -> None:
    """The card of a student of another kind, which left none of its own; `model` says what it is."""
    write_card(folder, Card(labels=tuple(labels), base_model=model, mode=OWN, max_length=0, temperature=1.0))


def add_extra(folder: Path, extra: dict[str, Any]) -> None:
    """Merge `extra` into a saved student's card."""
    card = read_card(folder)
    write_card(folder, dataclasses.replace(card, extra=card.extra | extra))


def read_card(folder: Path) -> Card:
    """The card of a model folder. Raises `CorruptModelError` where it is missing or makes no sense, `NewerFormatError`
    where a later version wrote it."""
    path = folder / FILE_NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as cause:
        if any((folder / name).is_file() for name in _OTHERS_OF_A_MODEL):
            raise _corrupt(path, "is missing") from cause
        raise CorruptModelError(
            f"is no model's folder: there is no {FILE_NAME} in it" if folder.is_dir() else "is no folder",
            where=Where(file=folder),
            hint="name models/NAME, one of its versions, or the folder that `train` or a run left",
        ) from cause
    except OSError as cause:
        raise _corrupt(path, f"cannot be read: {cause.strerror}") from cause
    except ValueError as cause:
        raise _corrupt(path, f"is not valid JSON: {cause}") from cause
    if not isinstance(content, dict) or not isinstance(version := content.get("schema_version"), int):
        raise _corrupt(path, "has no schema_version")
    if version > SCHEMA_VERSION:
        raise NewerFormatError(
            f"has schema_version {version}, this software knows {SCHEMA_VERSION}",
            where=Where(file=path),
            hint="update freeal, or train the model again",
        )
    return _checked_card(path, content)


def _checked_card(path: Path, content: dict[str, Any]) -> Card:
    labels = content.get("labels")
    if not (isinstance(labels, list) and labels and all(isinstance(label, str) for label in labels)):
        raise _corrupt(path, "names no labels", key="labels")
    kinds: dict[str, type | tuple[type, ...]] = {
        "base_model": str,
        "mode": str,
        "max_length": int,
        "temperature": (int, float),
        "extra": dict,
    }
    for key, kind in kinds.items():
        if not isinstance(content.get(key), kind):
            raise _corrupt(path, f"has no usable value, found {content.get(key)!r}", key=key)
    long_texts = content.get("long_texts", "head")
    if long_texts not in get_args(LongTexts):
        raise _corrupt(path, f"has no usable value, found {long_texts!r}", key="long_texts")
    return Card(
        labels=tuple(labels),
        long_texts=long_texts,
        thresholds=_thresholds(path, content.get("thresholds", []), labels=len(labels)),
        **{key: content[key] for key in kinds},
    )


def _thresholds(path: Path, found: Any, *, labels: int) -> tuple[float, ...]:
    numbers = isinstance(found, list) and all(type(one) in (int, float) and 0.0 <= one <= 1.0 for one in found)
    if not numbers or len(found) not in (0, labels):
        raise _corrupt(path, f"has no usable value, found {found!r}", key="thresholds")
    return tuple(map(float, found))


def _corrupt(path: Path, problem: str, *, key: str | None = None) -> CorruptModelError:
    return CorruptModelError(
        problem, where=Where(file=path, key=key), hint="train the model again, or restore its folder from a copy"
    )
