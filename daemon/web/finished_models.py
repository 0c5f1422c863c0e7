"""Finished models as the page shows them: figures from metrics.json, versions, the files one may download."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
import stat
from pathlib import Path
from typing import Any

import structlog

from daemon.inbox import file_stability
from daemon.outbox.model_shelf import Shelf, shelves
from freeal.errors import CorruptModelError
from freeal.report.number_format import percent
from freeal.results import metrics_summary
from freeal.spec.job_spec import NAME_PATTERN

_log = structlog.get_logger(__name__)

VERSION_FILES = {
    "annotated.csv": "labelled rows",
    "report.html": "report",
    "review_queue.csv": "rows to look at first",
    "metrics.json": "figures",
    "cost.json": "cost",
    "audit.jsonl": "answers",
}
"""What of a version may be downloaded, and what it is."""


@dataclasses.dataclass(frozen=True, slots=True)
class Model:
    """One model folder.

    Of the current version: `figures` are (what, value) pairs, empty where there is none; `quality` is the one figure
    that says how good it is, as (value, what); `rows` is how many it was made from.
    """

    name: str
    version: str | None
    figures: tuple[tuple[str, str], ...] = ()
    quality: tuple[str, str] | None = None
    rows: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Labelled:
    """A labelled CSV in a model's predictions folder; `key` stands for its name in addresses."""

    key: str
    name: str
    size_bytes: int
    written_at: float


class Gallery:
    """Looks at the models folder. Figures are read again only where metrics.json is another one than before."""

    def __init__(self, models: Path) -> None:
        self._models = models
        self._known: dict[str, tuple[tuple[str | None, int], Model]] = {}

    def models(self) -> tuple[Model, ...]:
        """Every model, by name. Folders whose name no model can have are left out."""
        found = tuple(self._model(shelf) for shelf in self._shelves())
        self._known = {model.name: self._known[model.name] for model in found}
        return found

    def shelf(self, name: str) -> Shelf | None:
        """The shelf of a name that is listed, or None: a name from outside never becomes a path."""
        return next((shelf for shelf in self._shelves() if shelf.name == name), None)

    def model(self, name: str) -> Model | None:
        """One model, or None."""
        shelf = self.shelf(name)
        return None if shelf is None else self._model(shelf)

    def _shelves(self) -> list[Shelf]:
        return [shelf for shelf in shelves(self._models) if re.fullmatch(NAME_PATTERN, shelf.name)]

    def _model(self, shelf: Shelf) -> Model:
        current = shelf.current
        mark = (current, _written_ns(shelf.version(current) / "metrics.json") if current else 0)
        known = self._known.get(shelf.name)
        if known is None or known[0] != mark:
            known = (mark, _read(shelf, current) if current else Model(shelf.name, None))
            self._known[shelf.name] = known
        return known[1]


def version_files(folder: Path) -> tuple[str, ...]:
    """Which of `VERSION_FILES` a version has."""
    return tuple(name for name in VERSION_FILES if is_plain(folder / name))


def labelled_files(shelf: Shelf) -> tuple[Labelled, ...]:
    """The labelled CSVs of a model, newest first."""
    folder = shelf.folder / "predictions"
    if folder.is_symlink():
        return ()
    found = [
        Labelled(_key(name), name, seen.size, seen.mtime_ns / 1e9)
        for name, seen in file_stability.look_around(folder).items()
        if seen.kind == "file" and not name.startswith(".") and not name.endswith(".json")
    ]
    return tuple(sorted(found, key=lambda one: (-one.written_at, one.key)))


def is_plain(path: Path) -> bool:
    """Whether a plain file stands there: no link, no folder, no pipe."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


def _key(name: str) -> str:
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:20]


def _written_ns(path: Path) -> int:
    try:
        return os.lstat(path).st_mtime_ns
    except OSError:
        return 0


def _read(shelf: Shelf, version: str) -> Model:
    try:
        metrics: dict[str, Any] = metrics_summary.read_metrics(shelf.version(version))
        figures, rows = tuple(metrics_summary.figures(metrics)), int(metrics["rows"])
        final = metrics["final"]
        if "accuracy" in final:
            low, high = (percent(bound) for bound in final["accuracy_interval"])
            quality = (percent(final["accuracy"]), f"of the labels are right (between {low} and {high})")
        else:
            quality = (percent(final["llm_student_agreement"]), "agreement of language model and student")
    except (CorruptModelError, KeyError, TypeError, ValueError, AttributeError, StopIteration) as problem:
        _log.warning("the figures of a model cannot be read", model=shelf.name, problem=repr(problem))
        return Model(shelf.name, version, (("figures", "cannot be read"),))
    return Model(shelf.name, version, figures, quality, rows)
