"""A journal that is no sound database: set aside whole, and a new one begun, which recovery fills from the folders."""

from __future__ import annotations

from pathlib import Path

import structlog

from daemon.errors import DamagedJournalError
from daemon.host import clock
from daemon.host.clock import Clock
from daemon.journal.journal import FILE_NAME, Journal
from daemon.journal.journal_database import DAMAGED
from freeal.files import atomic_write

_log = structlog.get_logger(__name__)

_COMPANIONS = ("", "-wal", "-shm")
"""SQLite's files beside a database: newer pages and their index. Those of the damaged one must not meet the new one."""


def open_sound_journal(state: Path, time: Clock) -> Journal:
    """The journal, every page of it read; where it is damaged, a new one in its place.

    Only for whoever holds the lock of the state folder. Raises `NewerJournalError`, `DiskError`, `JournalError`.
    """
    try:
        journal = Journal(state, time)
    except DamagedJournalError as damage:
        set_journal_aside(state, time, damage)
        return Journal(state, time)
    try:
        journal.check()
    except DamagedJournalError as damage:
        journal.close()
        set_journal_aside(state, time, damage)
        return Journal(state, time)
    return journal


def set_journal_aside(state: Path, time: Clock, damage: DamagedJournalError) -> Path:
    """Rename the journal and its companions; where it lies then. Nothing of it is changed."""
    kept = state / f"{DAMAGED}{clock.stamp(time.wall())}"
    for suffix in _COMPANIONS:  # the database first: SQLite deletes a -wal that has none
        source = state / f"{FILE_NAME}{suffix}"
        if source.exists():
            source.replace(f"{kept}{suffix}")
    atomic_write.sync(state)
    _log.error("the journal is damaged: it is set aside and built anew", problem=damage.problem, kept=str(kept))
    return kept


def journal_damage_in(error: BaseException) -> DamagedJournalError | None:
    """The damage that ended a run of the service, where that is what did."""
    if isinstance(error, DamagedJournalError):
        return error
    inner = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    return next((found for one in inner if (found := journal_damage_in(one))), None)


def warnings_of_journals(state: Path) -> list[str]:
    """What `status` says of journals that were set aside here."""
    kept = sorted(path for path in state.glob(f"{DAMAGED}*") if not path.name.endswith(_COMPANIONS[1:]))
    return [
        f"the journal was damaged and built anew from the folders; the damaged one is {path}: delete it when nobody "
        "needs it any more"
        for path in kept
    ]
