"""`cancel`, `retry`, `go` and `dismiss JOB`: a wish about a job, written into the journal for the service to obey."""

from __future__ import annotations

from daemon.cli.json_output import print_json
from daemon.config import Settings
from daemon.errors import UnknownJobError
from daemon.host import instance_lock
from daemon.host.clock import Clock
from daemon.jobs.cancel_and_retry import write_request
from daemon.journal import job_ids
from daemon.journal.journal import FILE_NAME, Journal


def request_job(settings: Settings, wish: str, job_id: str, *, as_json: bool) -> None:
    """Write a wish down and say when it is carried out. Raises `UnknownJobError`, `JournalError`."""
    state = settings.state
    if not (state / FILE_NAME).is_file():
        raise UnknownJobError(f"there is no job {job_id!r}: no daemon ever ran on {state}")
    is_running = instance_lock.is_instance_running(state)
    with Journal(state, Clock(), may_convert=not is_running) as journal:
        job_id = job_ids.meant_id(job_id, journal.ids_newest_first())
        write_request(journal, job_id, wish)
    when = "the running service does it within moments" if is_running else "done when the service runs next"
    when = "done" if wish == "dismiss" else when
    if as_json:
        print_json({"request": wish, "job": job_id, "running": is_running})
    else:
        print(f"{wish} {job_id}: {when}")
