"""Every error the service raises on purpose, beside those of the library.

FreealError (freeal.errors)
├── ConfigError                  freeal.yaml is wrong                                (exit 78)
└── DaemonError
    ├── AlreadyRunningError      another instance holds the state folder             (exit 75)
    ├── UnknownJobError          no such job, or it cannot do what was asked          (exit 2)
    ├── RefusedFileError         not a plain file: a link, a pipe, a folder
    ├── ChangedFileError         a file moved on while it was being taken: wait again
    ├── IllegalMoveError         a job was sent where its state does not lead: a bug
    ├── ChildError               a job's process ended without a result
    ├── StateLostError           the state folder was removed or replaced under the service: begun anew
    ├── ResourceError            what the machine lacks for now: descriptors, processes, memory, a free journal
    │   └── DiskError            no room, over quota, read-only or failing: passes once somebody mends it
    └── JournalError             the journal cannot be used                          (exit 78)
        ├── DamagedJournalError  its file is no sound database: set aside and built anew
        ├── NewerJournalError    written by a later version of this software
        └── OlderJournalError    in use by a service of an earlier version, so not brought to the present format

Nothing here imports anything of ours but the library's base class.
"""

from __future__ import annotations

from freeal.errors import FreealError


class DaemonError(FreealError):
    """Base of the service's own errors."""


class AlreadyRunningError(DaemonError):
    """Another instance holds the `state` folder, or an older process still works on the job."""


class UnknownJobError(DaemonError):
    """`retry`, `cancel` or `use` of a job that does not exist, or cannot do that now."""


class RefusedFileError(DaemonError):
    """Not a plain file, a link that leads out of a folder, or a file that vanished while it was taken."""


class ChangedFileError(DaemonError):
    """A file changed while it was being taken: only logged, it is taken when it stands still."""


class IllegalMoveError(DaemonError):
    """A job was sent where its state does not lead: a mistake of ours, please report it."""


class ChildError(DaemonError):
    """The process of a job died twice, or told of no progress for `jobs.stall_minutes` twice; the message says how."""


class StateLostError(DaemonError):
    """The `state` folder was removed or replaced under the running service.

    It begins anew with the one that is there now, and ends with 75 where another instance holds that.
    """


class ResourceError(DaemonError):
    """The machine lacks descriptors, processes, threads or memory, the journal is locked, or a folder cannot be used.

    What needed it waits and is tried again every minute.
    """


class DiskError(ResourceError):
    """No room, over quota, read-only or failing: whatever needed the disk waits and is tried again."""


class JournalError(DaemonError):
    """The journal in `state` cannot be used."""


class DamagedJournalError(JournalError):
    """The journal in `state` is damaged: the service sets it aside and builds a new one; other commands stop."""


class NewerJournalError(JournalError):
    """The journal was written by a later version of this software."""


class OlderJournalError(JournalError):
    """The journal is in use by a service of an earlier version.

    `status`, `retry` and `cancel` leave it as it is until that service is restarted.
    """
