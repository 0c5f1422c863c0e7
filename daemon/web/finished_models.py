"""Finished models as the page shows them: figures from metrics.json, versions, the files one may download."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog

from daemon.inbox import file_sightings
from daemon.outbox.model_shelf import Shelf, shelves
from freeal.errors import CorruptModelError
from freeal.report import report_headline
from freeal.report.report_headline import Headline
from freeal.results import metrics_as_text
from freeal.spec.model_name import NAME_PATTERN

_log = structlog.get_logger(__name__)

MOST_KNOWN = 5_000
"""Versions whose figures are kept; beyond that they are read anew."""

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
class Version:
    """A finished version, from its metrics.json and run.json.

    `figures` are (what, value) pairs; `headline` says how good it is, None where that cannot be read; `labels` are
    (name, meaning, rows) triples; `finished_at` is seconds since 1970, None where that is not known.
    """

    name: str
    figures: tuple[tuple[str, str], ...] = ()
    headline: Headline | None = None
    rows: int = 0
    task: str = ""
    labels: tuple[tuple[str, str, int], ...] = ()
    finished_at: float | None = None
    rounds: tuple[Mapping[str, Any], ...] = ()
    texts: int = 0
    """Distinct ones."""
    confidence_counts: tuple[int, ...] = ()
    """Rows by confidence in tenths; empty where an earlier version of the software did not count them."""
    moved: tuple[tuple[str, int, int], ...] = ()
    """Against the version before: (label, rows gained, rows lost)."""
    warnings: tuple[str, ...] = ()
    has_promise: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Model:
    """One model folder. `version` is the name of the current version, None where there is no finished one; `current` is
    what it says of itself."""

    name: str
    version: str | None
    current: Version = Version("")


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
        self._known: dict[Path, tuple[int, Version]] = {}

    def models(self) -> tuple[Model, ...]:
        """Every model, by name. Folders whose name no model can have are left out."""
        return tuple(self._model(shelf) for shelf in self._shelves())

    def shelf(self, name: str) -> Shelf | None:
        """The shelf of a name that is listed, or None: a name from outside never becomes a path."""
        return next((shelf for shelf in self._shelves() if shelf.name == name), None)

    def model(self, name: str) -> Model | None:
        """One model, or None."""
        shelf = self.shelf(name)
        return None if shelf is None else self._model(shelf)

    def versions(self, shelf: Shelf) -> tuple[Version, ...]:
        """Every version of a model, the newest first."""
        return tuple(self._version_figures(shelf, name) for name in shelf.version_names())

    def _shelves(self) -> list[Shelf]:
        return [shelf for shelf in shelves(self._models) if re.fullmatch(NAME_PATTERN, shelf.name)]

    def _model(self, shelf: Shelf) -> Model:
        current = shelf.current
        return Model(shelf.name, current, self._version_figures(shelf, current) if current else Version(""))

    def _version_figures(self, shelf: Shelf, name: str) -> Version:
        folder = shelf.version(name)
        written = _written_ns(folder / "metrics.json")
        known = self._known.get(folder)
        if known is None or known[0] != written:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            known = self._known[folder] = (written, _read_version(shelf, name))
        return known[1]


def version_files(folder: Path) -> tuple[str, ...]:
    """Which of `VERSION_FILES` a version has."""
    return tuple(name for name in VERSION_FILES if is_plain_file(folder / name))


def labelled_files(shelf: Shelf) -> tuple[Labelled, ...]:
    """The labelled CSVs of a model, newest first."""
    folder = shelf.folder / "predictions"
    if folder.is_symlink():
        return ()
    found = [
        Labelled(_key(name), name, seen.size, seen.mtime_ns / 1e9)
        for name, seen in file_sightings.look_around(folder).items()
        if seen.kind == "file" and not name.startswith(".") and not name.endswith(".json")
    ]
    return tuple(sorted(found, key=lambda one: (-one.written_at, one.key)))


def is_plain_file(path: Path) -> bool:
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


def _read_version(shelf: Shelf, name: str) -> Version:
    folder = shelf.version(name)
    try:
        metrics: dict[str, Any] = metrics_as_text.read_metrics(folder)
        record = _read_run_json(folder)
        spec = record.get("spec", {})
        final = metrics["final"]
        meanings = spec.get("labels", {})
        flipped = metrics.get("corrections", {}).get("flipped", {}).get("labels", {})
        return Version(
            name,
            figures=tuple(metrics_as_text.metrics_in_words(metrics)),
            headline=report_headline.headline_of_metrics(metrics),
            rows=int(metrics["rows"]),
            texts=int(metrics["distinct_rows"]),
            task=str(spec.get("description", "")),
            labels=tuple((one, str(meanings.get(one, "")), int(n)) for one, n in final["label_counts"].items()),
            finished_at=_seconds(record.get("finished")),
            rounds=tuple(metrics["rounds"]),
            confidence_counts=tuple(final.get("confidence_counts", ())),
            moved=tuple((label, one["gained"], one["lost"]) for label, one in flipped.items()),
            warnings=tuple(map(str, metrics.get("warnings", ()))),
            has_promise=metrics.get("promise") is not None,
        )
    except (CorruptModelError, KeyError, TypeError, ValueError, AttributeError, StopIteration) as problem:
        _log.warning("the figures of a model cannot be read", model=shelf.name, version=name, problem=repr(problem))
        return Version(name, (("figures", "cannot be read"),))


def _read_run_json(folder: Path) -> dict[str, Any]:
    """run.json; empty where there is none to read: a version is shown without task and date then."""
    try:
        content: Any = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _seconds(iso: Any) -> float | None:
    try:
        return dt.datetime.fromisoformat(iso).timestamp()
    except (TypeError, ValueError):
        return None
