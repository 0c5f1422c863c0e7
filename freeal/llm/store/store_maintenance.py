"""The answer store from outside: reading it without a trace, what lies in it, and making it smaller."""

from __future__ import annotations

import contextlib
import dataclasses
import sqlite3
import time
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from freeal.errors import ConfigError, Where
from freeal.llm.store.answer_store import NO_BILL, SqliteStore, stored_replies, unusable
from freeal.types import Bill, Reply

_LOCKED_HINT = "a job is writing to it: try again when none runs"


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

    def put_many(self, replies: Mapping[str, Reply], *, bill: Bill = NO_BILL) -> None:
        """Keep nothing."""

    def set_aside(self, keys: Iterable[str]) -> None:
        """Change nothing; they were given out, but will have to be asked again."""
        self.found -= len(list(keys))

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


def prune(path: Path, *, older_than_seconds: float, now: float | None = None) -> int:
    """Delete answers that were neither stored nor used within `older_than_seconds`, and give their room back.

    Returns how many. Raises `ConfigError`, also while somebody else writes to the file.
    """
    before = (time.time() if now is None else now) - older_than_seconds
    with _opened(path) as connection:
        deleted = connection.execute("DELETE FROM replies WHERE MAX(stored_at, used_at) < ?", (before,)).rowcount
        connection.execute("DELETE FROM bills WHERE updated_at < ?", (before,))
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return deleted


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to a store that exists, brought to this version's format."""
    if not path.is_file():
        raise ConfigError("there is no answer store", where=Where(file=path), hint="nothing was asked yet, or name it")
    SqliteStore(path).close()
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        yield connection
    except sqlite3.DatabaseError as cause:
        error = unusable(path, cause)
        if "locked" in str(cause):
            error = ConfigError(error.problem, where=error.where, hint=_LOCKED_HINT)
        raise error from cause
    finally:
        connection.close()
