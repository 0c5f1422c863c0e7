"""The guard around each unit of work: whatever one raises ends that unit alone, never the service.

A unit is a file that is taken, a job, a prediction, a request, a reload, a note, one item of a restart. What it raised
is told as one reason; what nobody expected goes to the log with its traceback. Trouble that passes by itself or once
somebody mends the machine is told apart: that unit waits instead of failing.
"""

from __future__ import annotations

import dataclasses
import errno
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import structlog

from daemon.errors import (
    DamagedJournalError,
    DiskError,
    JournalError,
    NewerJournalError,
    ResourceError,
    StateLostError,
)
from daemon.host import disk_errors
from freeal.errors import FreealError, OutputBusyError, StoreBusyError, Where

_log = structlog.get_logger(__name__)

INTERNAL = "internal"
"""The kind of an error that nobody expected, in error.json."""
_ENDS_THE_RUN = (DamagedJournalError, NewerJournalError, StateLostError)
"""No fault of a unit: journal or state folder are begun anew, with all units."""
_LACKS = {
    errno.EMFILE: "the service has too many files open",
    errno.ENFILE: "the machine has too many files open",
    errno.EAGAIN: "the machine starts no more processes or threads",
    errno.ENOMEM: "the machine has no memory left",
}
_NO_THREAD = "can't start new thread"
"""The words of the RuntimeError of `threading`, which has no errno."""


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """Why a unit did not come to its end.

    `kind` is what error.json calls it: the class of an error of ours or of the operating system, else `internal`.
    `passing` is set where waiting may help.
    """

    error: FreealError
    kind: str
    passing: ResourceError | None = None

    @property
    def is_ours(self) -> bool:
        """Whether the software is to blame, rather than the file, the settings or the machine."""
        return self.kind == INTERNAL and self.passing is None


class Guard:
    """`with Guard("a job", job=id) as guard:` goes on after the block whatever it raised, with `guard.fault` set.

    Cancellation, KeyboardInterrupt and SystemExit pass, and so do a journal or state folder that has to be begun anew.
    """

    def __init__(self, unit: str, **names: object) -> None:
        """`unit` and `names` say in the log what was under way."""
        self._unit, self._names = unit, names
        self.fault: Fault | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        self.fault = examine_fault(error)  # raises what ends the run
        if self.fault.is_ours:
            problem = self.fault.error.problem
            _log.error("a fault of the software", unit=self._unit, problem=problem, exc_info=error, **self._names)
        return True


def examine_fault(error: Exception) -> Fault:
    """What an error means for its unit. Raises the one that is no unit's fault."""
    family = list(disk_errors.error_family(error))
    for one in family:
        if isinstance(one, _ENDS_THE_RUN):
            raise one
    trouble = passing_trouble_in(error)
    first = _first(error)
    if isinstance(first, FreealError):
        if trouble is not None and not isinstance(trouble, DiskError):
            trouble = ResourceError(first.problem, where=first.where, hint=first.hint)  # it says more than an errno
        return Fault(first, type(first).__name__, trouble)
    if trouble is not None:
        return Fault(trouble, type(trouble).__name__, trouble)
    if isinstance(first, OSError):
        where = Where(file=str(first.filename)) if first.filename else None
        problem = first.strerror or str(first)
        return Fault(FreealError(problem, where=where, hint="check the disk and the permissions"), type(first).__name__)
    hint = "this is a fault of the software; the log holds the traceback"
    return Fault(FreealError(f"unexpected {type(first).__name__}: {first}", hint=hint), INTERNAL)


def passing_trouble_in(error: BaseException) -> ResourceError | None:
    """What of an error passes, so that its unit waits and does not fail: the disk's part, or what else the machine
    lacks; None where it has no such part."""
    if (trouble := disk_errors.disk_error_in(error)) is not None:
        return trouble
    for one in disk_errors.error_family(error):
        if isinstance(one, ResourceError):
            return one
        if isinstance(one, JournalError) and not isinstance(one, _ENDS_THE_RUN):
            return ResourceError(str(one))
        if isinstance(one, StoreBusyError | OutputBusyError):
            return ResourceError(str(one))
        if isinstance(one, MemoryError):
            return _lacking("the service got no memory")
        if isinstance(one, OSError) and one.errno in _LACKS:
            return _lacking(_LACKS[one.errno])
        if isinstance(one, RuntimeError) and _NO_THREAD in str(one):
            return _lacking(_LACKS[errno.EAGAIN])
    return None


def _lacking(problem: str) -> ResourceError:
    return ResourceError(problem, hint="it waits and goes on by itself; `ulimit -a` shows the limits of the service")


def _first(error: Exception) -> Exception:
    """What went wrong first, out of a task group's bundle; an error of ours before any other."""
    leaves = list(_leaf_errors(error))
    return next((leaf for leaf in leaves if isinstance(leaf, FreealError)), leaves[0])


def _leaf_errors(error: Exception) -> Iterator[Exception]:
    if isinstance(error, ExceptionGroup):
        for one in error.exceptions:
            yield from _leaf_errors(one)
    else:
        yield error
