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
    """Another instance holds the state folder."""


class UnknownJobError(DaemonError):
    """The user named a job that does not exist or cannot do this now."""


class RefusedFileError(DaemonError):
    """An input is not a plain file."""


class ChangedFileError(DaemonError):
    """An input changed between being seen and being taken."""


class IllegalMoveError(DaemonError):
    """The state machine of jobs does not know this move."""


class ChildError(DaemonError):
    """A process of ours died or fell silent; the message says how."""


class StateLostError(DaemonError):
    """The state folder is no longer the one whose lock is held: what is open of it is no longer found by anybody."""


class ResourceError(DaemonError):
    """The machine lacks something for now: whatever was under way waits and is tried again."""


class DiskError(ResourceError):
    """A disk cannot take more, or not now."""


class JournalError(DaemonError):
    """The journal is damaged or cannot be opened."""


class DamagedJournalError(JournalError):
    """The journal's file is no sound database."""


class NewerJournalError(JournalError):
    """The journal was written by a later version."""


class OlderJournalError(JournalError):
    """The journal is in use by a service of an earlier version: another format would end that."""
