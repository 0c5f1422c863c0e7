"""Making the service's own code raise at a step: the first time a function of a unit is called, in whatever thread.

Nothing of ours is replaced: Python's profiling hook is told of every call, and what it raises is raised in the callee.
"""

from __future__ import annotations

import errno
import os
import sys
import threading

from pydantic import BaseModel, ValidationError

UNITS = {
    "a file or pair": ("daemon.inbox.claim_pair", "daemon.inbox.claim_file", "daemon.service.claim_inputs"),
    "a job": (
        "daemon.jobs.job_runner",
        "daemon.jobs.job_progress",
        "daemon.jobs.finish_job",
        "daemon.jobs.training_request",
        "daemon.jobs.schedule",
        "daemon.limits.",
        "daemon.outbox.model_shelf",
        "daemon.outbox.move_to_done_or_failed",
    ),
    "a prediction": ("daemon.predictions.", "daemon.outbox.publish_prediction"),
    "a correction": ("daemon.jobs.correction_request",),
    "a request": ("daemon.jobs.cancel_and_retry", "daemon.service.request_tasks"),
    "a child process": (
        "daemon.host.memory_kills",
        "daemon.processes.process_supervisor",
        "daemon.processes.message_protocol",
        "daemon.jobs.device_turns",
        "daemon.jobs.failure_policy",
    ),
    "the journal": ("daemon.journal.journal", "daemon.journal.job_record"),
    "a note": ("daemon.inbox.missing_spec_note", "daemon.service.note_writer"),
    "a look": ("daemon.inbox.inbox_scan", "daemon.inbox.pairing", "daemon.inbox.folder_availability"),
    "a reload": ("daemon.service.config_reload",),
    "the heartbeat": ("daemon.service.watchdog_heartbeat", "daemon.service.health_report"),
    "an item of a restart": ("daemon.recovery.restart_recovery", "daemon.recovery.rebuild_unfinished_jobs"),
}
"""Unit -> modules whose functions are its steps."""

OF_THE_LOOP = {
    "PredictLane.run",
    "NoteTask.run",
    "RequestDesk._run_request_task",
    "Lanes.listen",
    "Lanes.tell_grants",
    "RequestDesk.waiting",
    "PredictLane.resting",
    "Runner.run",
    "Runner._after_fault_of_run",
    "Heart.beat",
    "_decoded",
    "of_row",
    "_job",
    "Journal.predictions",
    "Journal.close",
    "Journal.__exit__",
    "JournalFile.close",
}
"""What starts the guard, or acts on what it found: no unit's own step. Nor is a row of the journal that makes no
record: the journal is begun anew then (tests/daemon/recovery/test_damaged_journal.py); nor what is done to it once the
service has ended."""


class _Row(BaseModel):
    number: int


def _validation_error():
    try:
        _Row(number="none")
    except ValidationError as error:
        return error
    raise AssertionError


def _of(number):
    return lambda: OSError(number, os.strerror(number))


PASSING = {
    "EMFILE": _of(errno.EMFILE),
    "ENOSPC": _of(errno.ENOSPC),
    "EIO": _of(errno.EIO),
    "MemoryError": MemoryError,
}
LASTING = {
    "ValueError": lambda: ValueError("a value nobody thought of"),
    "ExceptionGroup": lambda: ExceptionGroup("several", [ValueError("one"), KeyError("two")]),
    "ValidationError": _validation_error,
}
FAULTS = PASSING | LASTING


class Steps:
    """A profiling hook: notes every step of every unit, and raises `make()` at the first call of one."""

    def __init__(self, step=None, make=None):
        self._step, self._make = step, make
        self._armed = False
        self.seen = {}
        self.raised = False

    def __call__(self, frame, event, _):
        if event != "call":
            return
        module = frame.f_globals.get("__name__", "")
        if not module.startswith("daemon."):
            return
        name = frame.f_code.co_qualname
        self._armed = self._armed or name == "Service.run"  # what it is built of before is no work yet
        unit = unit_of(module) if self._armed else None
        if unit is None or "<" in name or name in OF_THE_LOOP:
            return
        step = f"{module}:{name}"
        self.seen.setdefault(step, unit)
        if step == self._step and not self.raised:
            self.raised = True
            raise self._make()

    def __enter__(self):
        threading.setprofile(self)
        sys.setprofile(self)
        return self

    def __exit__(self, *_):
        sys.setprofile(None)
        threading.setprofile(None)


def unit_of(module):
    """The unit a module's functions are steps of; None for what is no unit's."""
    return next((unit for unit, parts in UNITS.items() if any(module.startswith(part) for part in parts)), None)
