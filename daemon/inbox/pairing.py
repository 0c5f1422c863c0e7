"""Which files of the inbox belong together, and what the others wait for. Pure."""

from __future__ import annotations

import dataclasses
import fnmatch
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import PurePath

from daemon.config import WatchSettings
from daemon.inbox import file_name_advice
from daemon.inbox.file_name_advice import SPEC_SUFFIXES, spec_stem, table_stem
from daemon.inbox.file_sightings import Observation, stable_at
from daemon.inbox.unsafe_names import objection_to_name
from daemon.inbox.unsupported_files import OF_THE_INBOX, advice_on_unsupported, refusal
from freeal.table.file_formats import data_stem, is_data

DEFAULT_SPEC = "_default.yaml"
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
    lacks_spec: bool = False
    """Whether a spec beside it is all that is missing."""


@dataclasses.dataclass(frozen=True, slots=True)
class Pairing:
    """What one look at the inbox says."""

    ready: tuple[Pair, ...]
    waiting: tuple[Waiting, ...]


def is_ignored(name: str) -> bool:
    """Whether a name is one of those that are never looked at."""
    return any(fnmatch.fnmatchcase(name.lower(), pattern) for pattern in IGNORED)


def pair_files(observations: Mapping[str, Observation], settings: WatchSettings, *, now: float) -> Pairing:
    """Sort the inbox into pairs to take and files that wait, both by name."""
    ready: list[Pair] = []
    waiting: list[Waiting] = []
    workable = dict(observations)
    for name in observations:
        if not is_ignored(name) and (found := objection_to_name(name)):
            waiting.append(Waiting(*found))
            del workable[name]
    inbox = _Inbox.sort_inbox(workable)
    misnamed = Misnamed.find_misnamed(inbox)
    for csv in inbox.data:
        judged = _pair_or_wait(csv, inbox, misnamed, settings=settings, now=now)
        (ready.append if isinstance(judged, Pair) else waiting.append)(judged)  # type: ignore[arg-type]
    waiting.extend(inbox.specs_without_table(misnamed))
    waiting.extend(inbox.strangers())
    return Pairing(tuple(ready), tuple(sorted(waiting, key=lambda entry: entry.name)))


@dataclasses.dataclass(frozen=True, slots=True)
class _Inbox:
    """The names that are not ignored, each group sorted."""

    observations: Mapping[str, Observation]
    data: tuple[str, ...]
    specs: tuple[str, ...]
    others: tuple[str, ...]
    specs_by_stem: Mapping[str, list[str]]
    """Of the plain files. An index, and one for the data: with a thousand pairs, looking through all the names for each
    of them takes ten seconds."""
    data_by_stem: Mapping[str, list[str]]

    @classmethod
    def sort_inbox(cls, observations: Mapping[str, Observation]) -> _Inbox:
        names = sorted(name for name in observations if not is_ignored(name) and name != DEFAULT_SPEC)
        data = tuple(name for name in names if is_data(name))
        specs = tuple(name for name in names if name.lower().endswith(SPEC_SUFFIXES))
        known = {*data, *specs}
        files = {name for name in known if observations[name].sighting.kind == "file"}
        return cls(
            observations,
            data,
            specs,
            tuple(name for name in names if name not in known),
            _by_stem((name for name in specs if name in files), spec_stem),
            _by_stem((name for name in data if name in files), table_stem),
        )

    def is_file(self, name: str) -> bool:
        return name in self.observations and self.observations[name].sighting.kind == "file"

    def refusal(self, name: str) -> str | None:
        kind = self.observations[name].sighting.kind
        return None if kind == "file" else refusal(kind)

    def specs_of(self, csv: str) -> list[str]:
        return self.specs_by_stem.get(table_stem(csv), [])

    def data_of(self, spec: str) -> list[str]:
        return self.data_by_stem.get(spec_stem(spec), [])

    def specs_without_table(self, misnamed: Misnamed) -> Iterator[Waiting]:
        for name in self.specs:
            if refusal := self.refusal(name):
                yield Waiting(name, refusal)
            elif not self.data_of(name):
                yield Waiting(name, f"no data: {misnamed.missing_table_advice(name)}")

    def strangers(self) -> Iterator[Waiting]:
        for name in self.others:
            kind = self.observations[name].sighting.kind
            if advice := advice_on_unsupported(name, kind, own_folders=OF_THE_INBOX):
                yield Waiting(name, advice)


@dataclasses.dataclass(frozen=True, slots=True)
class Misnamed:
    """Files that have no partner and may be one under another name, by what people see of their stems."""

    specs: Mapping[str, list[str]]
    tables: Mapping[str, list[str]]

    @classmethod
    def find_misnamed(cls, inbox: _Inbox) -> Misnamed:
        specs: dict[str, list[str]] = {}
        tables: dict[str, list[str]] = {}
        for name in filter(inbox.is_file, (*inbox.specs, *inbox.data, *inbox.others)):
            wanted = file_name_advice.meant_file_name(name) or file_name_advice.meant_spec_name(name) or name
            if wanted.lower().endswith(SPEC_SUFFIXES) and not (name in inbox.specs and inbox.data_of(name)):
                specs.setdefault(file_name_advice.loose(spec_stem(wanted)), []).append(name)
            elif is_data(wanted) and not (name in inbox.data and inbox.specs_of(name)):
                tables.setdefault(file_name_advice.loose(table_stem(wanted)), []).append(name)
        return cls(specs, tables)

    def spec_for(self, csv: str) -> str | None:
        """The one file that looks like the spec of this table, but for its name."""
        found = self.specs.get(file_name_advice.loose(table_stem(csv)), [])
        return found[0] if len(found) == 1 else None

    def missing_table_advice(self, spec: str) -> str:
        """What a spec without data waits for."""
        if (wanted := file_name_advice.meant_spec_name(spec)) is not None:
            return f"if it belongs to {PurePath(spec).stem}, rename it to {wanted}"
        found = self.tables.get(file_name_advice.loose(spec_stem(spec)), [])
        stem = PurePath(spec).stem
        if len(found) == 1 and is_data(found[0]):
            return f"if it belongs to {found[0]}, rename it to {data_stem(found[0])}{PurePath(spec).suffix}"
        if len(found) == 1:
            return f"if {found[0]} holds it, rename that to {stem}.csv"
        return f"drop {stem}.csv beside it (again, if it was taken before this came)"


def _by_stem(names: Iterable[str], stem_of: Callable[[str], str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(stem_of(name), []).append(name)
    return found


def _pair_or_wait(
    csv: str, inbox: _Inbox, misnamed: Misnamed, *, settings: WatchSettings, now: float
) -> Pair | Waiting:
    if refusal := inbox.refusal(csv):
        return Waiting(csv, refusal)
    own = inbox.observations[csv]
    specs = inbox.specs_of(csv)
    if ambiguity := _ambiguous_pair(csv, specs, inbox):
        return Waiting(csv, ambiguity)
    times = []
    if not specs:
        if (near := misnamed.spec_for(csv)) is not None:  # the shared spec would make another job of it than was meant
            return Waiting(csv, f"no spec: if {near} is it, rename that to {data_stem(csv)}.yaml", lacks_spec=True)
        if (wanted := file_name_advice.meant_table_name(csv)) is not None:
            return Waiting(csv, f"no spec: if it is {wanted}, rename it so; else drop {data_stem(csv)}.yaml beside it")
        if not inbox.is_file(DEFAULT_SPEC):
            return Waiting(csv, f"no spec: drop {data_stem(csv)}.yaml beside it", lacks_spec=True)
        times.append(own.since + settings.pair_timeout_seconds)
    spec = specs[0] if specs else DEFAULT_SPEC
    for name in (csv, spec):
        moment = stable_at(inbox.observations[name], stability_seconds=settings.stability_seconds)
        if moment is None:
            return Waiting(csv, "is empty so far" if name == csv else f"{name} is empty so far")
        times.append(moment)
    due = max(times)
    if due > now:
        reason = "must stand still a little longer" if specs else f"no spec yet: soon served by {DEFAULT_SPEC}"
        return Waiting(csv, reason, due)
    return Pair(csv, spec)


def _ambiguous_pair(csv: str, specs: list[str], inbox: _Inbox) -> str | None:
    """Guessing which file was meant could spend money on the wrong job."""
    if len(specs) > 1:
        return f"has several specs, {' and '.join(specs)}: remove all but one"
    rivals = [name for name in inbox.data_of(specs[0]) if name != csv] if specs else []
    if rivals:
        return (
            f"shares {specs[0]} with {' and '.join(rivals)}: leave one of them, or give each a name and spec of its own"
        )
    return None
