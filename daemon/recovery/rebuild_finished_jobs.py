"""Jobs and predictions that are over, as the folders tell of them, for a journal that is new or was lost.

Names of folders are ids of ours (daemon/journal/job_ids.py); what is named otherwise is left alone.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any, TypeVar

from daemon.config import Settings
from daemon.host.fault_guard import Guard
from daemon.inbox.file_name_advice import SPEC_SUFFIXES
from daemon.jobs.finish_job import CANCELLED
from daemon.journal import job_json_file
from daemon.journal.job_ids import ID, OF_PREDICTIONS, is_correction
from daemon.journal.job_record import Job, State
from daemon.journal.prediction_record import Prediction
from daemon.outbox import move_to_done_or_failed
from daemon.outbox.model_shelf import Shelf, shelves
from freeal.table.file_formats import data_stem, is_data

Found = TypeVar("Found", Job, Prediction)


def finished_jobs(settings: Settings) -> Iterator[Job]:
    """Every version on the shelves as a done job, every folder of inbox/failed and inbox/done, and those of corrections
    in the models' own, as what it says."""
    seen: set[str] = set()
    for shelf in shelves(settings.models):
        for folder in folders(shelf.folder / "versions"):
            if (job := _read_finished(_published_job, shelf, folder)) is not None:
                seen.add(job.id)
                yield job
    for place in ("failed", "done"):
        archived = [folder for shelf in shelves(settings.models) for folder in folders(shelf.folder / place)]
        corrections = [folder for folder in archived if is_correction(folder.name)]
        for folder in [*folders(settings.inbox / place), *corrections]:
            if folder.name not in seen and (job := _read_finished(_archived_job, folder)) is not None:
                seen.add(job.id)
                yield job


def finished_predictions(settings: Settings) -> Iterator[Prediction]:
    """Every folder of the models' done/ and failed/."""
    for shelf in shelves(settings.models):
        for state in ("done", "failed"):
            for folder in folders(shelf.folder / state):
                read = functools.partial(prediction_of_folder, state=state)
                if (found := _read_finished(read, folder, folder)) is not None:
                    yield found


def _read_finished(read: Callable[..., Found | None], *places: Any) -> Found | None:
    """What a folder tells; None for one that we choke on, which must not keep all the others from being found. Raises
    `ResourceError` where the machine is to blame: that passes."""
    with Guard("reading a finished job's folder", folder=str(places[-1])) as guard:
        return read(*places)
    if guard.fault is not None and guard.fault.passing is not None:
        raise guard.fault.passing
    return None


def prediction_of_folder(folder: Path, inputs: Path, *, state: str) -> Prediction | None:
    """The prediction a folder of that name is of, with its one CSV in `inputs`; None where it is of something else."""
    match = ID.fullmatch(folder.name)
    names = visible_names(inputs)
    is_ours = match is not None and match["name"].startswith(OF_PREDICTIONS) and not match["corrections"]
    if match is None or not is_ours or any(_is_spec(name) for name in names):
        return None
    csv_name = next((name for name in names if is_data(name)), None)
    if csv_name is None:
        return None
    created, report = seconds_of(match), move_to_done_or_failed.error_report_in(folder)
    return Prediction(
        id=folder.name,
        model=match["name"].removeprefix(OF_PREDICTIONS),
        csv_name=csv_name,
        state=state_of_failed(report) if report else state,
        error=report,
        created_at=created,
        updated_at=created,
    )


def job_of_folder(folder: Path, *names: str, **fields: Any) -> Job | None:
    """The job a folder of that name is of, when `names` hold a CSV and a spec, which corrections do without; None where
    it is of something else."""
    match = ID.fullmatch(folder.name)
    answers = [name for name in names if is_correction(folder.name) and _is_spec(name)]
    csv_name = next((name for name in [*names, *answers] if is_data(name) or name in answers), None)
    spec_name = "" if is_correction(folder.name) else next((name for name in names if _is_spec(name)), None)
    if match is None or csv_name is None or spec_name is None:
        return None
    times: dict[str, Any] = {"created_at": seconds_of(match), "updated_at": seconds_of(match)}
    known: dict[str, Any] = {"name": match["name"], "key": ""} | times | fields
    return Job(id=folder.name, csv_name=csv_name, spec_name=spec_name, **known)


def _published_job(shelf: Shelf, folder: Path) -> Job | None:
    """A version's job. Without a record in it, it has no key: that its content is done already is not known."""
    if (job := job_json_file.read_job_json(folder)) is not None and (job.id, job.name) == (folder.name, shelf.name):
        return job
    try:
        csv_name = PurePath(str(json.loads((folder / "run.json").read_text(encoding="utf-8"))["input"]["file"])).name
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return job_of_folder(folder, csv_name, f"{data_stem(csv_name)}.yaml", name=shelf.name, state=State.DONE)


def _archived_job(folder: Path) -> Job | None:
    names = visible_names(folder)
    if (report := move_to_done_or_failed.error_report_in(folder)) is None:
        return job_of_folder(folder, *names, state=State.DONE, reason="known from its folder in done/ alone")
    return job_of_folder(folder, *names, state=State(state_of_failed(report)), error=report)


def state_of_failed(report: Mapping[str, Any]) -> str:
    """What a folder in failed/ is of, by the reason in it: `failed` or `cancelled`."""
    return str(State.CANCELLED if report["kind"] == CANCELLED else State.FAILED)


def visible_names(folder: Path) -> list[str]:
    """The names in a folder, sorted, without hidden ones and our own reports; none where there is no folder."""
    if folder.is_symlink() or not folder.is_dir():
        return []
    reports = {move_to_done_or_failed.REPORT, move_to_done_or_failed.PROSE}
    return sorted(entry.name for entry in folder.iterdir() if entry.name[0] != "." and entry.name not in reports)


def folders(parent: Path) -> list[Path]:
    """The visible folders in a folder, by name."""
    return [folder for name in visible_names(parent) if (folder := parent / name).is_dir() and not folder.is_symlink()]


def seconds_of(match: re.Match[str]) -> float:
    """The time in an id, in seconds since 1970."""
    return dt.datetime.strptime(f"{match['date']}-{match['time']}", "%Y%m%d-%H%M%S").replace(tzinfo=dt.UTC).timestamp()


def _is_spec(name: str) -> bool:
    return PurePath(name).suffix.lower() in SPEC_SUFFIXES
