"""Which files of the inbox belong together, and what the others wait for. Pure."""

from __future__ import annotations

import dataclasses
import fnmatch
from collections.abc import Iterator, Mapping
from pathlib import PurePath

from daemon.config import WatchSettings
from daemon.inbox.stability import Observation, stable_at

DEFAULT_SPEC = "_default.yaml"
CSV_SUFFIX = ".csv"
SPEC_SUFFIXES = (".yaml", ".yml")
IGNORED = (".*", "~*", "*~", "*.tmp", "*.part", "*.partial", "*.crdownload", "*.swp")
"""Half-written and editors' files."""


@dataclasses.dataclass(frozen=True, slots=True)
class Pair:
    """Two files ready to be taken."""

    csv: str
    spec: str

    @property
    def uses_default(self) -> bool:
        """Whether the spec is the shared one, which stays in the inbox."""
        return self.spec == DEFAULT_SPEC


@dataclasses.dataclass(frozen=True, slots=True)
class Waiting:
    """A file that cannot be taken yet. `until` (steady seconds) is when time alone may change that; None: never."""

    name: str
    reason: str
    until: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Pairing:
    """What one look at the inbox says."""

    ready: tuple[Pair, ...]
    waiting: tuple[Waiting, ...]


def is_ignored(name: str) -> bool:
    """Whether a name is one of those that are never looked at."""
    return any(fnmatch.fnmatchcase(name.lower(), pattern) for pattern in IGNORED)


def pair(observations: Mapping[str, Observation], settings: WatchSettings, *, now: float) -> Pairing:
    """Sort the inbox into pairs to take and files that wait, both by name."""
    names = sorted(name for name in observations if not is_ignored(name))
    csvs = [name for name in names if name.lower().endswith(CSV_SUFFIX)]
    specs = [name for name in names if name.lower().endswith(SPEC_SUFFIXES) and name != DEFAULT_SPEC]
    usable_specs = [name for name in specs if observations[name].sighting.kind == "file"]
    ready: list[Pair] = []
    waiting: list[Waiting] = []
    taken: set[str] = set()
    for csv in csvs:
        spec = _spec_of(csv, [name for name in usable_specs if name not in taken])
        found = _judge(csv, spec, observations, settings, now)
        taken.update([spec] if spec else [])
        (ready.append if isinstance(found, Pair) else waiting.append)(found)  # type: ignore[arg-type]
    waiting.extend(_lonely_specs(specs, taken, observations))
    return Pairing(tuple(ready), tuple(sorted(waiting, key=lambda entry: entry.name)))


def _spec_of(csv: str, specs: list[str]) -> str | None:
    of_this_stem = [name for name in specs if PurePath(name).stem == PurePath(csv).stem]
    by_suffix = sorted(of_this_stem, key=lambda name: SPEC_SUFFIXES.index(PurePath(name).suffix.lower()))
    return by_suffix[0] if by_suffix else None


def _judge(
    csv: str, spec: str | None, observations: Mapping[str, Observation], settings: WatchSettings, now: float
) -> Pair | Waiting:
    own = observations[csv]
    if refusal := _refusal(own):
        return Waiting(csv, refusal)
    times = []
    if spec is None:
        default = observations.get(DEFAULT_SPEC)
        if default is None or default.sighting.kind != "file":
            return Waiting(csv, f"no spec: drop {PurePath(csv).stem}.yaml beside it")
        spec = DEFAULT_SPEC
        times.append(own.since + settings.pair_timeout_seconds)
    for name in (csv, spec):
        moment = stable_at(observations[name], stability_seconds=settings.stability_seconds)
        if moment is None:
            return Waiting(csv, "is empty so far" if name == csv else f"{name} is empty so far")
        times.append(moment)
    due = max(times)
    if due > now:
        own_spec = spec != DEFAULT_SPEC
        reason = "must stand still a little longer" if own_spec else f"no spec yet: soon served by {DEFAULT_SPEC}"
        return Waiting(csv, reason, due)
    return Pair(csv, spec)


def _lonely_specs(specs: list[str], taken: set[str], observations: Mapping[str, Observation]) -> Iterator[Waiting]:
    for name in specs:
        if name not in taken:
            yield Waiting(name, _refusal(observations[name]) or f"no data: drop {PurePath(name).stem}.csv beside it")


def _refusal(observation: Observation) -> str | None:
    kind = observation.sighting.kind
    return None if kind == "file" else f"is a {kind}, not a file: refused"
