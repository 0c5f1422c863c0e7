"""One look at every folder things are dropped in. Keeps what was seen before, decides by it and by `now`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from daemon.config import Settings
from daemon.inbox import pairing
from daemon.inbox.pairing import Pairing, Waiting, is_ignored
from daemon.inbox.stability import Observation, Sighting, look_around, observe, stable_at
from daemon.outbox.shelf import shelves


@dataclasses.dataclass(frozen=True, slots=True)
class Drop:
    """A CSV in a model's predict folder, ready to be taken."""

    model: str
    name: str
    sighting: Sighting


@dataclasses.dataclass(frozen=True, slots=True)
class Scan:
    """What is ready and what waits, in the inbox and in the predict folders (named `model/predict/x`)."""

    pairs: Pairing
    observations: dict[str, Observation]
    drops: tuple[Drop, ...]
    waiting_drops: tuple[Waiting, ...]
    folders: frozenset[Path]

    @property
    def waiting(self) -> tuple[Waiting, ...]:
        """Every file that waits."""
        return self.pairs.waiting + self.waiting_drops

    @property
    def next_ready_at(self) -> float | None:
        """When (steady seconds) time alone makes the next file ready; None when it does for none."""
        return min((entry.until for entry in self.waiting if entry.until is not None), default=None)


class Scanner:
    """Looks at inbox and predict folders."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._seen: dict[Path, dict[str, Observation]] = {}

    def scan(self, now: float) -> Scan:
        """Look once. `now` is steady seconds."""
        inbox = self._observe(self._settings.inbox, now)
        pairs = pairing.pair(inbox, self._settings.watch, now=now)
        folders = {self._settings.inbox}
        drops: list[Drop] = []
        waiting: list[Waiting] = []
        for shelf in shelves(self._settings.models):
            folder = shelf.folder / "predict"
            if folder.is_symlink() or not folder.is_dir():
                continue
            folders.add(folder)
            no_model = shelf.current is None
            for found in self._drops(shelf.name, folder, now):
                if isinstance(found, Drop) and no_model:
                    waiting.append(Waiting(f"{shelf.name}/predict/{found.name}", "this model has no finished version"))
                else:
                    (drops if isinstance(found, Drop) else waiting).append(found)  # type: ignore[arg-type]
        for gone in set(self._seen) - folders:
            del self._seen[gone]
        return Scan(pairs, inbox, tuple(drops), tuple(waiting), frozenset(folders))

    def _observe(self, folder: Path, now: float) -> dict[str, Observation]:
        self._seen[folder] = observe(self._seen.get(folder, {}), look_around(folder), now=now)
        return self._seen[folder]

    def _drops(self, model: str, folder: Path, now: float) -> Iterator[Drop | Waiting]:
        for name, observation in sorted(self._observe(folder, now).items()):
            if is_ignored(name) or not name.lower().endswith(pairing.CSV_SUFFIX):
                continue
            label = f"{model}/predict/{name}"
            due = stable_at(observation, stability_seconds=self._settings.watch.stability_seconds)
            if observation.sighting.kind != "file":
                yield Waiting(label, f"is a {observation.sighting.kind}, not a file: refused")
            elif due is None:
                yield Waiting(label, "is empty so far")
            elif due > now:
                yield Waiting(label, "must stand still a little longer", due)
            else:
                yield Drop(model, name, observation.sighting)
