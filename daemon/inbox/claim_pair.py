"""Taking a pair out of the inbox: the journal's row first, then the files.

At any moment each file is in the inbox or in the claimed work, and a restart can tell from the row what was meant.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath

import structlog

from daemon.config import Settings
from daemon.errors import ChangedFileError, RefusedFileError
from daemon.host import clock, fault_guard
from daemon.host.clock import Clock
from daemon.host.fault_guard import Guard
from daemon.inbox import file_sightings
from daemon.inbox.claim_file import put_file_back, take_file
from daemon.inbox.file_sightings import Observation, Sighting
from daemon.inbox.inbox_scan import Drop
from daemon.inbox.pairing import Pair
from daemon.journal.job_ids import CORRECTIONS, dropped_in
from daemon.journal.job_record import Job, State
from daemon.journal.journal import Journal
from daemon.journal.work_folder import Workplace
from daemon.outbox import durable_file_moves
from daemon.outbox.model_shelf import twin_of
from freeal.errors import FreealError, SpecError, Where
from freeal.files import regular_file
from freeal.spec import job_spec as specs
from freeal.spec import yaml_reader
from freeal.spec.job_spec import Spec
from freeal.spec.model_name import plain_name

_log = structlog.get_logger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Origin:
    """A file as it stood in the inbox. A shared one (`_default.yaml`, a file of examples) is copied, not moved."""

    name: str
    sighting: Sighting
    shared: bool = False

    def differs_from(self, path: Path) -> bool:
        """Whether somebody went on writing to the file after it was taken, and `path` is what it has become."""
        now = _look(path)
        taken = (self.sighting.size, self.sighting.mtime_ns)
        return not self.shared and now is not None and (now.size, now.mtime_ns) != taken


class Intake:
    """Claims pairs. Its methods block on the disk: call them in a thread."""

    def __init__(self, settings: Settings, journal: Journal, time: Clock) -> None:
        self._settings = settings
        self._journal = journal
        self._clock = time

    def claim_pair(self, pair: Pair, seen: Mapping[str, Observation]) -> tuple[Job, FreealError | None]:
        """Take a pair and write its job down. The error says why the spec cannot be used; the job then has none.

        Raises `ChangedFileError` when a file is no longer what was seen, `RefusedFileError` when it went away,
        `OSError` when the files cannot be moved; whatever is raised, the inbox is left as it was.
        """
        inbox = self._settings.inbox
        origins = [
            Origin(pair.csv, seen[pair.csv].sighting),
            Origin(pair.spec, seen[pair.spec].sighting, shared=pair.uses_default),
        ]
        digest = csv_digest(inbox / pair.csv)
        spec, error = None, None
        try:
            spec, examples = load_dropped_spec(inbox / pair.spec, csv_name=pair.csv)
            origins += [Origin(examples, file_sightings.look(inbox / examples), shared=True)] if examples else []
            self._refuse_twin(spec.name, inbox / pair.spec)
        except SpecError as wrong:
            spec, error = None, wrong
        except OSError:
            raise
        except Exception as unexpected:  # noqa: BLE001 - a spec we choke on is its job's fault, told where it is looked for
            spec, error = None, _unreadable_spec(unexpected, inbox / pair.spec)
        for origin in origins:
            if _look(inbox / origin.name) != origin.sighting:
                raise ChangedFileError("changed while it was being taken", where=Where(file=inbox / origin.name))
        job = self._claim_cut_off(origins) or self._write_job_of_pair(pair, origins, digest, spec)
        self._settle_claim_or_give_back(job)
        return job, error

    def claim_corrections(self, drop: Drop) -> Job:
        """Take what a person corrected and write its job down. Raises what `claim_pair` does."""
        folder = self._settings.models / drop.model / CORRECTIONS
        origins = [Origin(drop.name, drop.sighting)]
        digest = csv_digest(folder / drop.name)
        if _look(folder / drop.name) != drop.sighting:
            raise ChangedFileError("changed while it was being taken", where=Where(file=folder / drop.name))
        job = self._claim_cut_off(origins)
        if job is None:
            wanted = f"{drop.model}-{clock.stamp(self._clock.wall())}-{digest[:6]}"
            job = self._new_claimed_job(
                self._free_id(wanted, f"-{CORRECTIONS}"), drop.model, digest, csv=drop.name, spec=""
            )
            job = dataclasses.replace(job, origin=_as_json(origins))
            self._journal.add(job)
        self._settle_claim_or_give_back(job)
        return job

    def _settle_claim_or_give_back(self, job: Job) -> None:
        try:
            self.settle_claim(job)
        except Exception:
            self._give_claim_back(job)
            raise

    def _refuse_twin(self, name: str, spec: Path) -> None:
        if twin := twin_of(self._settings.models, name):
            problem = f"{name!r} differs from the model {twin!r} only by case"
            where = Where(file=spec, key="name")
            raise SpecError(problem, where=where, hint=f"write {twin!r}, or choose another name")

    def recover_claims(self) -> None:
        """After a restart: finish each claim that was cut off, or give it back where a file was replaced meanwhile."""
        for job in self._journal.unfinished():
            if job.state is not State.CLAIMED:
                continue
            with Guard("finishing a claim", job=job.id) as guard:
                self._settle_claim_again(job)
            if guard.fault is not None:  # the job's own run says so, and where it then belongs
                _log.warning("a claim cannot be finished yet", job=job.id, problem=str(guard.fault.error))

    def _settle_claim_again(self, job: Job) -> None:
        try:
            self.settle_claim(job)
        except ChangedFileError as problem:
            _log.info("a claim is given back: its files are taken anew", job=job.id, problem=str(problem))
            self._give_claim_back(job)

    def _write_job_of_pair(self, pair: Pair, origins: list[Origin], digest: str, spec: Spec | None) -> Job:
        name = spec.name if spec else plain_name(pair.csv)
        wanted = f"{name}-{clock.stamp(self._clock.wall())}-{digest[:6]}"
        job = dataclasses.replace(
            self._new_claimed_job(self._free_id(wanted), name, digest, csv=pair.csv, spec=pair.spec),
            spec=spec.model_dump_json() if spec else "",
            force=spec.force if spec else False,
            origin=_as_json(origins),
        )
        self._journal.add(job)
        return job

    def _new_claimed_job(self, job_id: str, name: str, digest: str, *, csv: str, spec: str) -> Job:
        now = self._clock.wall()
        return Job(
            id=job_id,
            name=name,
            key="",
            csv_name=csv,
            spec_name=spec,
            csv_sha256=digest,
            created_at=now,
            updated_at=now,
        )

    def _claim_cut_off(self, origins: list[Origin]) -> Job | None:
        """The job these very files were claimed for before, if a full disk let them neither be moved nor given back."""
        return next(iter(self._journal.claimed_from(_as_json(origins))), None)

    def _free_id(self, wanted: str, end: str = "") -> str:
        number, found = 2, wanted + end
        while self._journal.has_job(found):
            found, number = f"{wanted}-{number}{end}", number + 1
        return found

    def settle_claim(self, job: Job) -> None:
        """Bring a claimed job's files to where they belong. May be repeated: a restart calls it for every claim.

        Raises `RefusedFileError` when a file is nowhere to be found, `ChangedFileError` when one was replaced before it
        could be taken, `OSError` when it cannot be moved.
        """
        place = Workplace(self._settings, job.id)
        inputs = durable_file_moves.make_folder(place.inputs)
        folder = dropped_in(self._settings, job.id)
        for origin in origins_of(job):
            source, target = folder / origin.name, inputs / origin.name
            here = _look(source)
            if target.exists():
                if here and not origin.shared and here == origin.sighting:
                    source.unlink()  # a copy across file systems was cut off before its end
            elif (place.done / origin.name).is_file():
                durable_file_moves.move(
                    place.done / origin.name, target
                )  # it was being archived without a run: that begins anew
            elif here is None:
                raise RefusedFileError(
                    "vanished while it was being taken",
                    where=Where(file=source),
                    hint="drop it again",
                )
            elif origin.shared:
                durable_file_moves.copy(source, target)
            else:
                take_file(source, target, origin.sighting)

    def _give_claim_back(self, job: Job) -> None:
        """Undo `claim_pair`: its files go back to where they were dropped, its job out of the journal."""
        inputs = Workplace(self._settings, job.id).inputs
        for origin in origins_of(job):
            if not origin.shared and (inputs / origin.name).exists():
                put_file_back(inputs / origin.name, dropped_in(self._settings, job.id) / origin.name)
        self._journal.forget(job.id)
        shutil.rmtree(inputs.parent, ignore_errors=True)  # copies of shared files, if anything


def load_dropped_spec(path: Path, *, csv_name: str) -> tuple[Spec, str | None]:
    """The spec, and the name of the file of examples beside it if it names one. Raises `SpecError`."""
    document = yaml_reader.load(path, SpecError, links="refuse")
    examples = document.data.get("examples")
    name = examples if isinstance(examples, str) and PurePath(examples).name == examples else None
    if name is not None:
        seen = _look(path.parent / name)
        if seen is not None and seen.kind != "file":
            where = document.where(("examples",))
            raise SpecError(f"{name!r} is a {seen.kind}, not a file: refused", where=where)
    return specs.load(path, default_name=plain_name(csv_name), links="refuse"), name


def csv_digest(path: Path) -> str:
    """SHA-256 of a plain file's bytes. Never follows a link, never waits for a pipe; raises `OSError`."""
    with regular_file.open_regular_file(path, links="refuse") as stream:
        return hashlib.file_digest(stream, _sha256).hexdigest()


_sha256: Callable[[], hashlib._Hash] = hashlib.sha256


def _unreadable_spec(error: Exception, spec: Path) -> SpecError:
    fault = fault_guard.examine_fault(error)
    if fault.passing is not None:
        raise error
    _log.error("a fault of the software", unit="reading a spec", file=str(spec), exc_info=error)
    hint = "look for unusual characters, numbers and dates in it; the log holds the traceback"
    return SpecError(f"cannot be read: {fault.error.problem}", where=Where(file=spec), hint=hint)


def _as_json(origins: list[Origin]) -> str:
    return json.dumps([dataclasses.asdict(origin) for origin in origins])


def origins_of(job: Job) -> list[Origin]:
    return [
        Origin(entry["name"], Sighting(**entry["sighting"]), shared=entry["shared"]) for entry in json.loads(job.origin)
    ]


def _look(path: Path) -> Sighting | None:
    try:
        return file_sightings.look(path)
    except FileNotFoundError:
        return None
