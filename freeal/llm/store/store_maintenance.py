"""The answer store from outside: reading it without a trace, what lies in it, and making it smaller."""

from __future__ import annotations

import contextlib
import dataclasses
import sqlite3
import time
import urllib.parse
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from freeal.errors import ConfigError, Where
from freeal.llm.store import bill_records, store_file
from freeal.llm.store.answer_store import stored_replies
from freeal.llm.store.bill_records import NO_BILL, OpenCall
from freeal.llm.store.store_file import unusable
from freeal.types import Bill, Reply

_ROWS_PER_STEP = 1_000
_PAGES_PER_STEP = 1_000
"""Of 4 KiB: jobs that write meanwhile wait a few milliseconds for a step, and not for the whole file."""


class StoredAnswers:
    """An answer store that is only looked at: nothing is written, no hit is counted. A missing file is an empty one.

    `found` counts the replies given out. Raises `ConfigError` for a file that cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self.found = 0

    def __enter__(self) -> Self:
        if self._path.exists():
            address = f"file:{urllib.parse.quote(str(self._path.absolute()))}?mode=ro"
            self._connection = sqlite3.connect(address, uri=True, check_same_thread=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def get_many(self, keys: Iterable[str]) -> dict[str, Reply]:
        """The stored replies among `keys`."""
        if self._connection is None:
            return {}
        try:
            replies = stored_replies(self._connection, keys)
        except sqlite3.DatabaseError as cause:
            raise unusable(self._path, cause) from cause
        self.found += len(replies)
        return replies

    def put_many(
        self,
        replies: Mapping[str, Reply],
        *,
        bill: Bill = NO_BILL,
        opened: Sequence[OpenCall] = (),
        closed: Collection[str] = (),
        given_up: Sequence[str] = (),
    ) -> None:
        """Keep nothing."""

    def set_aside(self, keys: Iterable[str]) -> None:
        """Change nothing; they were given out, but will have to be asked again."""
        self.found -= len(list(keys))

    def begin(self) -> Bill:
        """Nothing: as `billed`."""
        return NO_BILL

    def open_batches(self) -> dict[str, float]:
        """None: what is under way is waited for by its job."""
        return {}

    def billed(self) -> Bill:
        """Nothing: what an estimate is for is not yet spent."""
        return NO_BILL

    def close(self) -> None:
        """Release the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@dataclasses.dataclass(frozen=True, slots=True)
class Contents:
    """What one model's share of an answer store is. Times are seconds since 1970."""

    asked_of: str
    """`provider/model`; empty for answers stored by a version that did not note it."""
    entries: int
    hits: int
    """How often one of them was used instead of asking again."""
    newest_at: float


def contents(path: Path) -> list[Contents]:
    """What lies in the store, the largest share first. Raises `ConfigError`."""
    query = (
        "SELECT asked_of, COUNT(*), SUM(hits), MAX(stored_at) FROM replies GROUP BY asked_of ORDER BY COUNT(*) DESC, 1"
    )
    with _opened(path) as connection:
        return [Contents(*row) for row in connection.execute(query)]


def size_bytes(path: Path) -> int:
    """The file with what SQLite keeps beside it."""
    beside = (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm"))
    return sum(file.stat().st_size for file in beside if file.exists())


def billed(path: Path) -> dict[str, Bill]:
    """What every job was billed, what is under way, or was when it was killed, as unconfirmed.

    A missing file holds none. Raises `ConfigError` and `StoreBusyError`.
    """
    if not path.is_file():
        return {}
    with _opened(path) as connection:
        return bill_records.all_billed(connection)


def prune(path: Path, *, older_than_seconds: float, now: float | None = None) -> int:
    """Delete answers that were neither stored nor used within `older_than_seconds`, and give their room back.

    Returns how many. Jobs may go on meanwhile: it is done in small steps, save for a file of an earlier version, which
    is rewritten once. Raises `ConfigError` and `StoreBusyError`.
    """
    before = (time.time() if now is None else now) - older_than_seconds
    deleted = 0
    with _opened(path) as connection:
        while True:
            step = connection.execute(
                "DELETE FROM replies WHERE key IN (SELECT key FROM replies WHERE MAX(stored_at, used_at) < ? LIMIT ?)",
                (before, _ROWS_PER_STEP),
            ).rowcount
            deleted += step
            if step < _ROWS_PER_STEP:
                break
        connection.execute("DELETE FROM bills WHERE updated_at < ?", (before,))
        _give_room_back(connection)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return deleted


def _give_room_back(connection: sqlite3.Connection) -> None:
    (in_steps,) = connection.execute("PRAGMA auto_vacuum").fetchone()
    if not in_steps:  # made by an earlier version: once for all, jobs wait for it
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        connection.execute("VACUUM")
    while (free := connection.execute("PRAGMA freelist_count").fetchone()[0]) > 0:
        connection.execute(f"PRAGMA incremental_vacuum({_PAGES_PER_STEP})").fetchall()
        if connection.execute("PRAGMA freelist_count").fetchone()[0] >= free:
            return  # somebody writes as fast as we give back


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to a store that exists, brought to this version's format."""
    if not path.is_file():
        raise ConfigError("there is no answer store", where=Where(file=path), hint="nothing was asked yet, or name it")
    connection = store_file.opened(path)
    try:
        yield connection
    except sqlite3.DatabaseError as cause:
        raise unusable(path, cause) from cause
    finally:
        connection.close()
