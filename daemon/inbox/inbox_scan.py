"""One look at every folder things are dropped in. Keeps what was seen before, decides by it and by `now`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from daemon.config import Settings
from daemon.inbox import pairing
from daemon.inbox.file_sightings import Observation, Sighting, look_around, observe, stable_at
from daemon.inbox.folder_availability import Roots
from daemon.inbox.pairing import Pairing, Waiting, is_ignored
from daemon.inbox.unsafe_names import objection_to_name
from daemon.inbox.unsupported_files import advice_on_unsupported, refusal
from daemon.journal.job_ids import CORRECTIONS
from daemon.outbox.model_shelf import Shelf, shelves
from freeal.table.file_formats import is_data, is_yaml

PREDICT = "predict"
LANES = (PREDICT, CORRECTIONS)
"""Folders of a model that CSVs are dropped in."""


@dataclasses.dataclass(frozen=True, slots=True)
class Drop:
    """A CSV in a model's folder `lane` (predict or corrections), ready to be taken; in the latter also answers to
    boundary questions, as YAML."""

    model: str
    name: str
    sighting: Sighting
    lane: str = PREDICT

    @property
    def label(self) -> str:
        """As people are told of it."""
        return f"{self.model}/{self.lane}/{self.name}"


@dataclasses.dataclass(frozen=True, slots=True)
class Scan:
    """What is ready and what waits, in the inbox and in the models' folders (named `model/predict/x`)."""

    pairs: Pairing
    observations: dict[str, Observation]
    drops: tuple[Drop, ...]
    waiting_drops: tuple[Waiting, ...]
    folders: frozenset[Path]
    """Every folder in which something new could matter."""
    problems: tuple[Waiting, ...] = ()
    """Folders that could not be looked at, by their whole path."""

    @property
    def waiting(self) -> tuple[Waiting, ...]:
        """Every file that waits, after every folder that cannot be looked at."""
        return self.problems + self.pairs.waiting + self.waiting_drops

    @property
    def next_ready_at(self) -> float | None:
        """When (steady seconds) time alone makes the next file ready; None when it does for none."""
        return min((entry.until for entry in self.waiting if entry.until is not None), default=None)


class Scanner:
    """Looks at the inbox and at each model's predict and corrections folders."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._roots = Roots()
        self._seen: dict[Path, dict[str, Observation]] = {}

    def adopt(self, settings: Settings) -> None:
        """Go on with other settings."""
        self._settings = settings

    def scan(self, now: float) -> Scan:
        """Look once. `now` is steady seconds. A folder that cannot be looked at is a problem told, never an error."""
        inbox, models = self._settings.inbox, self._settings.models
        ever_started = self._settings.state.is_dir()  # the folders are made at the first start
        roots = (inbox, models) if ever_started else ()
        problems = [Waiting(str(root), why) for root in roots if (why := self._roots.availability_problem(root))]
        lost = {problem.name for problem in problems}
        found = {} if str(inbox) in lost else self._scan_inbox(inbox, now, problems)
        folders = {inbox, models}
        drops: list[Drop] = []
        waiting: list[Waiting] = []
        for shelf in [] if str(models) in lost else _list_shelves(models, problems):
            folders.add(shelf.folder)
            for lane in LANES:
                try:
                    self._scan_lane(shelf, lane, now, folders=folders, drops=drops, waiting=waiting)
                except OSError as cause:
                    problems.append(Waiting(str(shelf.folder / lane), _unreadable(cause)))
        for gone in set(self._seen) - folders:
            del self._seen[gone]
        pairs = pairing.pair_files(found, self._settings.watch, now=now)
        return Scan(pairs, found, tuple(drops), tuple(waiting), frozenset(folders), tuple(problems))

    def _scan_lane(
        self, shelf: Shelf, lane: str, now: float, *, folders: set[Path], drops: list[Drop], waiting: list[Waiting]
    ) -> None:
        folder = shelf.folder / lane
        if folder.is_symlink() or not folder.is_dir():
            return
        folders.add(folder)
        self._seen[folder] = observe(self._seen.get(folder, {}), look_around(folder), now=now)
        is_finished = shelf.current is not None
        for found in self._scanned_drops(shelf.name, lane, self._seen[folder], now):
            if isinstance(found, Waiting):
                waiting.append(found)
            elif is_finished:
                drops.append(found)
            else:
                waiting.append(Waiting(found.label, "this model has no finished version"))

    def _scan_inbox(self, folder: Path, now: float, problems: list[Waiting]) -> dict[str, Observation]:
        try:
            seen = look_around(folder)
        except OSError as cause:
            problems.append(Waiting(str(folder), _unreadable(cause)))
            return {}
        self._seen[folder] = observe(self._seen.get(folder, {}), seen, now=now)
        return self._seen[folder]

    def _scanned_drops(
        self, model: str, lane: str, observations: dict[str, Observation], now: float
    ) -> Iterator[Drop | Waiting]:
        """What the scan makes of each file seen in a model's folder: a drop that is ready, or what it waits for."""
        for name, observation in sorted(observations.items()):
            if is_ignored(name):
                continue
            if found := objection_to_name(name):
                yield Waiting(f"{model}/{lane}/{found[0]}", found[1])
                continue
            label = f"{model}/{lane}/{name}"
            kind = observation.sighting.kind
            due = stable_at(observation, stability_seconds=self._settings.watch.stability_seconds)
            if not (is_data(name) or (lane == CORRECTIONS and is_yaml(name))):
                if advice := advice_on_unsupported(name, kind):
                    yield Waiting(label, advice)
            elif kind != "file":
                yield Waiting(label, refusal(kind))
            elif due is None:
                yield Waiting(label, "is empty so far")
            elif due > now:
                yield Waiting(label, "must stand still a little longer", due)
            else:
                yield Drop(model, name, observation.sighting, lane)


def _list_shelves(models: Path, problems: list[Waiting]) -> list[Shelf]:
    try:
        return shelves(models)
    except OSError as cause:
        problems.append(Waiting(str(models), _unreadable(cause)))
        return []


def _unreadable(cause: OSError) -> str:
    return f"cannot be read: {cause.strerror}; mend its permissions, or its share"
