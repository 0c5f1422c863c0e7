"""Taking a pair out of the inbox: the journal's row first, then the files.

At any moment each file is in the inbox or in the claimed work, and a restart can tell from the row what was meant.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath

from daemon import clock
from daemon.clock import Clock
from daemon.config import Settings
from daemon.errors import ChangedFileError, RefusedFileError
from daemon.inbox import stability
from daemon.inbox.pairing import Pair
from daemon.inbox.stability import Observation, Sighting
from daemon.jobs.job import Job
from daemon.jobs.journal import Journal
from daemon.jobs.workplace import Workplace
from daemon.outbox import publish
from freeal import spec as specs
from freeal import yamlfile
from freeal.errors import FreealError, SpecError, Where
from freeal.spec import Spec


@dataclasses.dataclass(frozen=True, slots=True)
class _Origin:
    """A file as it stood in the inbox. A shared one (`_default.yaml`, a file of examples) is copied, not moved."""

    name: str
    sighting: Sighting
    shared: bool = False


class Intake:
    """Claims pairs. Its methods block on the disk: call them in a thread."""

    def __init__(self, settings: Settings, journal: Journal, time: Clock) -> None:
        self._settings = settings
        self._journal = journal
        self._clock = time

    def claim(self, pair: Pair, seen: Mapping[str, Observation]) -> tuple[Job, FreealError | None]:
        """Take a pair and write its job down. The error says why the spec cannot be used; the job then has none.

        Raises `ChangedFileError` when a file is no longer what was seen, `OSError` when the files cannot be moved; both
        leave the inbox as it was.
        """
        inbox = self._settings.inbox
        origins = [
            _Origin(pair.csv, seen[pair.csv].sighting),
            _Origin(pair.spec, seen[pair.spec].sighting, shared=pair.uses_default),
        ]
        digest = csv_digest(inbox / pair.csv)
        spec, error = None, None
        try:
            spec, examples = load_spec(inbox / pair.spec, csv_name=pair.csv)
            origins += [_Origin(examples, stability.look(inbox / examples), shared=True)] if examples else []
        except SpecError as problem:
            error = problem
        for origin in origins:
            if _look(inbox / origin.name) != origin.sighting:
                raise ChangedFileError("changed while it was being taken", where=Where(file=inbox / origin.name))
        job = self._write_down(pair, origins, digest, spec)
        try:
            self.settle(job)
        except OSError:
            self._give_back(job)
            raise
        return job, error

    def _write_down(self, pair: Pair, origins: list[_Origin], digest: str, spec: Spec | None) -> Job:
        now = self._clock.wall()
        name = spec.name if spec else plain_name(pair.csv)
        job = Job(
            id=self._free_id(f"{name}-{clock.stamp(now)}-{digest[:6]}"),
            name=name,
            key="",
            csv_name=pair.csv,
            spec_name=pair.spec,
            csv_sha256=digest,
            spec=spec.model_dump_json() if spec else "",
            force=spec.force if spec else False,
            origin=json.dumps([dataclasses.asdict(origin) for origin in origins]),
            created_at=now,
            updated_at=now,
        )
        self._journal.add(job)
        return job

    def _free_id(self, wanted: str) -> str:
        taken = {job.id for job in self._journal.jobs()}
        number, found = 2, wanted
        while found in taken:
            found, number = f"{wanted}-{number}", number + 1
        return found

    def settle(self, job: Job) -> None:
        """Bring a claimed job's files to where they belong. May be repeated: a restart calls it for every claim.

        Raises `RefusedFileError` when a file is nowhere to be found.
        """
        inputs = publish.make_folder(Workplace(self._settings, job.id).inputs)
        for origin in _origins(job):
            source, target = self._settings.inbox / origin.name, inputs / origin.name
            here = _look(source)
            if target.exists():
                if here and not origin.shared and here == origin.sighting:
                    source.unlink()  # a copy across file systems was cut off before its end
            elif here is None:
                raise RefusedFileError(
                    "vanished from the inbox while it was being taken",
                    where=Where(file=source),
                    hint="drop it again",
                )
            elif origin.shared:
                publish.copy(source, target)
            else:
                publish.move(source, target)

    def _give_back(self, job: Job) -> None:
        inputs = Workplace(self._settings, job.id).inputs
        for origin in _origins(job):
            if not origin.shared and (inputs / origin.name).exists():
                publish.move(inputs / origin.name, self._settings.inbox / origin.name)
        self._journal.forget(job.id)

    def take_back(self, job: Job) -> tuple[dict[str, object], FreealError | None]:
        """For a retry: the inputs from failed/ into the work folder, read anew.

        Gives the fields of the job that follow from them, and what is wrong with the spec, if it still is.
        """
        place = Workplace(self._settings, job.id)
        for name in (job.csv_name, job.spec_name):
            if not (place.inputs / name).exists() and not (place.failed / name).is_file():
                raise RefusedFileError(
                    "is no longer there", where=Where(file=place.failed / name), hint="drop both anew"
                )
        publish.make_folder(place.inputs)
        for entry in sorted(place.failed.iterdir()) if place.failed.is_dir() else ():
            if entry.name in {"error.json", "ERROR.txt"}:
                entry.unlink()
            elif entry.is_file() and not entry.is_symlink():
                publish.move(entry, place.inputs / entry.name)
        if place.failed.is_dir():
            place.failed.rmdir()
        digest = csv_digest(place.inputs / job.csv_name)
        try:
            spec, _ = load_spec(place.inputs / job.spec_name, csv_name=job.csv_name)
        except SpecError as error:
            return {"csv_sha256": digest, "spec": ""}, error
        if spec.name != job.name:
            where = Where(file=place.inputs / job.spec_name, key="name")
            return {}, SpecError("another name makes it another job", where=where, hint="drop both files in the inbox")
        return {"csv_sha256": digest, "spec": spec.model_dump_json(), "force": spec.force}, None


def load_spec(path: Path, *, csv_name: str) -> tuple[Spec, str | None]:
    """The spec, and the name of the file of examples beside it if it names one. Raises `SpecError`."""
    document = yamlfile.load(path, SpecError)
    examples = document.data.get("examples")
    name = examples if isinstance(examples, str) and PurePath(examples).name == examples else None
    if name is not None:
        seen = _look(path.parent / name)
        if seen is not None and seen.kind != "file":
            where = document.where(("examples",))
            raise SpecError(f"{name!r} is a {seen.kind}, not a file: refused", where=where)
    return specs.load(path, default_name=plain_name(csv_name)), name


def plain_name(csv_name: str) -> str:
    """A model's name made of a CSV's: its stem without accents, with all else a name may not hold replaced by `-`.

    Where that loses letters, a digest of the stem keeps two names of another script from becoming one model.
    """
    stem = PurePath(csv_name).stem
    folded = "".join(char for char in unicodedata.normalize("NFKD", stem) if not unicodedata.combining(char))
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", folded)[:64].strip("-._")
    if name and not any(char.isalnum() and not char.isascii() for char in folded):
        return name
    digest = hashlib.sha256(os.fsencode(stem)).hexdigest()[:6]
    return f"{name[:57] or 'unnamed'}-{digest}"


def csv_digest(path: Path) -> str:
    """SHA-256 of a plain file's bytes. Never follows a link, never waits for a pipe; raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, "rb") as stream:  # noqa: PTH123 - a descriptor, not a path
        return hashlib.file_digest(stream, _sha256).hexdigest()


_sha256: Callable[[], hashlib._Hash] = hashlib.sha256


def _origins(job: Job) -> list[_Origin]:
    return [
        _Origin(entry["name"], Sighting(**entry["sighting"]), shared=entry["shared"])
        for entry in json.loads(job.origin)
    ]


def _look(path: Path) -> Sighting | None:
    try:
        return stability.look(path)
    except FileNotFoundError:
        return None
