"""An answer store that is only looked at: reading it leaves no trace."""

from __future__ import annotations

import sqlite3
import urllib.parse
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from freeal.llm.store.answer_store import stored_replies
from freeal.llm.store.bill_records import NO_BILL, OpenCall
from freeal.llm.store.store_file import store_unusable_error
from freeal.types import Bill, Reply


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
            raise store_unusable_error(self._path, cause) from cause
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
