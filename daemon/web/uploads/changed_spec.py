"""The spec of a job that is over, changed in a browser: read, put in its place for another try, or beside a copy of its
table in the inbox. Blocks on the disk: call it in a thread."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from daemon.config import Settings
from daemon.errors import RefusedFileError
from daemon.inbox.claim_pair import load_dropped_spec
from daemon.journal.job_ids import is_correction
from daemon.journal.job_record import Job, State
from daemon.journal.work_folder import Workplace
from daemon.outbox.durable_file_moves import make_folder
from daemon.web.uploads.place_in_inbox import place_files
from freeal.errors import SpecError, Where
from freeal.files import atomic_write
from freeal.spec.job_spec import Spec
from freeal.table.file_formats import data_stem

MOST_SPEC_BYTES = 1_000_000
_OVER = {State.FAILED, State.CANCELLED, State.DONE}


@dataclasses.dataclass(frozen=True, slots=True)
class Inputs:
    """The files of a job that is over, where they lie now."""

    csv: Path
    spec: Path

    def spec_text(self) -> str:
        """As it stands, for a form."""
        with self.spec.open("rb") as stream:
            return stream.read(MOST_SPEC_BYTES).decode("utf-8", errors="replace")


def inputs_to_run_again(job: Job, settings: Settings) -> Inputs | None:
    """The inputs of a job that can be run again from its spec; None where it is under way, or they are gone."""
    if job.state not in _OVER or is_correction(job.id) or not job.spec_name:
        return None
    where = Workplace(settings, job.id)
    folder = where.done if job.state is State.DONE else where.failed
    found = Inputs(folder / job.csv_name, folder / job.spec_name)
    plain = all(path.is_file() and not path.is_symlink() for path in (found.csv, found.spec))
    return found if plain else None


@contextlib.contextmanager
def read_changed_spec(text: str, inputs: Inputs, settings: Settings) -> Iterator[tuple[Spec, Path]]:
    """The spec that was typed, as the daemon will read it, and a folder that lasts as long as the block: it holds the
    spec, and the examples it names. Raises `SpecError`."""
    with tempfile.TemporaryDirectory(dir=make_folder(settings.state / "uploads"), prefix="changed-") as name:
        folder = Path(name)
        path = folder / f"{data_stem(inputs.csv.name)}.yaml"
        with atomic_write.writing(path) as stream:
            stream.write(text)
        for beside in inputs.spec.parent.glob("*.json"):
            if beside.is_file() and not beside.is_symlink():
                shutil.copyfile(beside, folder / beside.name)
        yield load_dropped_spec(path, csv_name=inputs.csv.name)[0], folder


def put_spec_in_place(text: str, inputs: Inputs, settings: Settings, *, name: str) -> None:
    """Put a spec in the place of the one that failed. Raises `SpecError`, also for one of another model than `name`."""
    with read_changed_spec(text, inputs, settings) as (spec, _):
        if spec.name != name:
            problem = f"{spec.name!r} would make it another job than {name!r}"
            raise SpecError(problem, where=Where(key="name"), hint=f"write `name: {name}`, or start a new job")
    with atomic_write.writing(inputs.spec) as stream:
        stream.write(text)


def put_spec_anew(text: str, inputs: Inputs, settings: Settings) -> None:
    """Put the spec and a copy of the table into the inbox, all or nothing. Raises `SpecError`, `RefusedFileError`."""
    with read_changed_spec(text, inputs, settings) as (_, folder):
        if os.path.lexists(settings.inbox / inputs.csv.name):
            raise RefusedFileError(f"{inputs.csv.name} waits in the inbox already", hint="wait, or take it away first")
        examples = [path for path in sorted(folder.glob("*.json")) if path.name in text]
        spec = folder / f"{data_stem(inputs.csv.name)}.yaml"
        place_files({path.name: path for path in (*examples, spec)} | {inputs.csv.name: inputs.csv}, settings.inbox)
