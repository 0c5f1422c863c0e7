"""The answer store: what was paid for once is never paid for again, whatever is killed when.

An answer's key is the hash of the complete request, so a changed word in a prompt, another demonstration, model or
schema is another question. Replies are stored before anything is computed from them, and what they cost is stored with
them in one commit: after a kill the books agree with the answers.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from freeal.errors import ConfigError, Where
from freeal.files import atomic_write
from freeal.types import Bill, Outcome, Prompt, Reply, Usage

_ALGORITHM = "freeal-request-1"
SCHEMA_VERSION = 2
"""Raised with every change; a file of a later version is refused."""

_BUSY_TIMEOUT_SECONDS = 60.0
_KEYS_PER_QUERY = 500  # SQLite's oldest limit on variables is 999

_USAGE_COLUMNS = tuple(field.name for field in dataclasses.fields(Usage))
_COUNT = " INTEGER NOT NULL, ".join(_USAGE_COLUMNS)
_USD_COLUMNS = ("usd", "unconfirmed_usd")
_USD = " REAL NOT NULL, ".join(_USD_COLUMNS)
_STEPS = (
    ("CREATE TABLE replies (key TEXT PRIMARY KEY, reply TEXT NOT NULL, stored_at REAL NOT NULL) WITHOUT ROWID",),
    (
        "ALTER TABLE replies ADD COLUMN asked_of TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE replies ADD COLUMN hits INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE replies ADD COLUMN used_at REAL NOT NULL DEFAULT 0",
        f"CREATE TABLE bills (job TEXT PRIMARY KEY, {_USD} REAL NOT NULL, {_COUNT} INTEGER NOT NULL, updated_at REAL)",
    ),
)
"""What leads from each format to the next."""

_ADD_TO_BILL = (
    f"INSERT INTO bills (job, {', '.join((*_USD_COLUMNS, *_USAGE_COLUMNS))}, updated_at) "  # noqa: S608 - names of ours
    f"VALUES (?, ?, ?{', ?' * len(_USAGE_COLUMNS)}, ?) ON CONFLICT (job) DO UPDATE SET "
    + ", ".join(f"{name} = {name} + excluded.{name}" for name in (*_USD_COLUMNS, *_USAGE_COLUMNS))
    + ", updated_at = excluded.updated_at"
)


_NO_PART_OF_THE_QUESTION = frozenset({"output_tokens"})
_OUTCOMES: Mapping[str, Outcome] = {"refusal": "refused", "max_tokens": "cut_off"}
"""Of replies stored before there were outcomes, by their `stop_reason`."""


def request_key(prompt: Prompt, fingerprint: str) -> str:
    """SHA-256 over the canonical JSON of the complete request and this algorithm's name, in hexadecimal."""
    # A field that is at its default is left out, so that one added later leaves the keys of stored answers alone.
    parts = {
        field.name: getattr(prompt, field.name)
        for field in dataclasses.fields(prompt)
        if getattr(prompt, field.name) != field.default and field.name not in _NO_PART_OF_THE_QUESTION
    }
    request = {"algorithm": _ALGORITHM, "fingerprint": fingerprint, "prompt": parts}
    canonical = json.dumps(request, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


NO_BILL = Bill()


class AnswerStore(Protocol):
    """Replies by request key. May be called from any thread."""

    def get_many(self, keys: Iterable[str]) -> dict[str, Reply]:
        """The stored replies among `keys`."""

    def put_many(self, replies: Mapping[str, Reply], *, bill: Bill = NO_BILL) -> None:
        """Store replies and add `bill` to what this job was billed; when this returns both survive a crash.

        A reply already there is replaced.
        """

    def set_aside(self, keys: Iterable[str]) -> None:
        """Give these replies out no more: they are no answers. They are kept, for whoever wants to see what came."""

    def billed(self) -> Bill:
        """What this job was billed so far, earlier runs included."""

    def close(self) -> None:
        """Release the file."""


class MemoryStore:
    """An answer store that lives as long as its object."""

    def __init__(self) -> None:
        self._replies: dict[str, Reply] = {}
        self._bill = NO_BILL

    def __len__(self) -> int:
        """How many replies are stored."""
        return len(self._replies)

    def get_many(self, keys: Iterable[str]) -> dict[str, Reply]:
        """The stored replies among `keys`."""
        return {key: self._replies[key] for key in keys if key in self._replies}

    def put_many(self, replies: Mapping[str, Reply], *, bill: Bill = NO_BILL) -> None:
        """Store replies until the object goes."""
        self._replies.update(replies)
        self._bill = self._bill + bill

    def set_aside(self, keys: Iterable[str]) -> None:
        """Give these replies out no more."""
        for key in keys:
            self._replies.pop(key, None)

    def billed(self) -> Bill:
        """What was billed since the object was made."""
        return self._bill

    def close(self) -> None:
        """Nothing to release."""


class SqliteStore:
    """An answer store in one SQLite file: WAL, a full sync per commit, safe with several processes and threads.

    `job` is whose bill is kept, `asked_of` who answers (`provider/model`), for `python -m freeal cache`. Raises
    `ConfigError` for a file that is damaged, is no answer store, or was written by a later version.
    """

    def __init__(self, path: Path, *, job: str = "", asked_of: str = "") -> None:
        self._path = path
        self._job = job
        self._asked_of = asked_of
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(
            path, timeout=_BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            self._prepare()
        except sqlite3.DatabaseError as cause:
            self._connection.close()
            raise unusable(path, cause) from cause
        except ConfigError:
            self._connection.close()
            raise

    def get_many(self, keys: Iterable[str]) -> dict[str, Reply]:
        """The stored replies among `keys`, each counted as a hit; an entry that cannot be read counts as missing."""
        with self._lock:
            found = stored_replies(self._connection, keys)
            if found:
                self._count_hits(list(found))
        return found

    def put_many(self, replies: Mapping[str, Reply], *, bill: Bill = NO_BILL) -> None:
        """Store replies and their bill in one transaction; on disk when this returns."""
        now = time.time()
        rows = [(key, _encoded(reply), now, now, self._asked_of) for key, reply in replies.items()]
        with self._lock, atomic_write.transaction(self._connection):
            self._connection.executemany(
                "INSERT OR REPLACE INTO replies (key, reply, stored_at, used_at, asked_of) VALUES (?, ?, ?, ?, ?)", rows
            )
            if bill != NO_BILL:
                amounts = (bill.usd, bill.unconfirmed_usd, *dataclasses.astuple(bill.usage))
                self._connection.execute(_ADD_TO_BILL, (self._job, *amounts, now))

    def set_aside(self, keys: Iterable[str]) -> None:
        """Move replies out of the way of their questions: under their key and the time, which is nobody's key."""
        moves = [(f"{key}:{time.time_ns()}", key) for key in keys]
        with self._lock, atomic_write.transaction(self._connection):
            self._connection.executemany("UPDATE replies SET key = ? WHERE key = ?", moves)

    def billed(self) -> Bill:
        """What this job was billed so far, by this process and those before it."""
        columns = ", ".join((*_USD_COLUMNS, *_USAGE_COLUMNS))
        query = f"SELECT {columns} FROM bills WHERE job = ?"  # noqa: S608 - names of ours
        with self._lock:
            row = self._connection.execute(query, (self._job,)).fetchone()
        return NO_BILL if row is None else Bill(row[0], Usage(*row[2:]), row[1])

    def forget_bill(self) -> None:
        """Begin this job's bill anew: its run is over, and another of the same name is another job."""
        with self._lock:
            self._connection.execute("DELETE FROM bills WHERE job = ?", (self._job,))

    def close(self) -> None:
        """Close the file; the last process to do so folds the write-ahead log into it."""
        with self._lock:
            self._connection.close()

    def _count_hits(self, keys: list[str]) -> None:
        now = time.time()
        with atomic_write.transaction(self._connection):
            for part in _parts(keys):
                marks = ",".join("?" * len(part))
                update = f"UPDATE replies SET hits = hits + 1, used_at = ? WHERE key IN ({marks})"  # noqa: S608
                self._connection.execute(update, [now, *part])

    def _prepare(self) -> None:
        self._enter_wal_mode()
        self._connection.execute("PRAGMA synchronous=FULL")
        with atomic_write.transaction(self._connection):
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA_VERSION:
                raise ConfigError(
                    f"the answer store has format {version}; this version reads up to {SCHEMA_VERSION}",
                    where=Where(file=self._path),
                    hint="it was written by a later version of this software: use that one",
                )
            for statement in itertools.chain.from_iterable(_STEPS[version:]):
                self._connection.execute(statement)
            self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _enter_wal_mode(self) -> None:
        # The change of mode needs the file for itself for a moment and does not wait for the busy timeout.
        deadline = time.monotonic() + _BUSY_TIMEOUT_SECONDS
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as cause:
                if "locked" not in str(cause) or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)


def unusable(path: Path, cause: sqlite3.DatabaseError) -> ConfigError:
    """The error for a file that SQLite cannot work with."""
    return ConfigError(
        f"the answer store cannot be used: {cause}",
        where=Where(file=path),
        hint="move the file away: a new one is made, and its answers are asked for again",
    )


def stored_replies(connection: sqlite3.Connection, keys: Iterable[str]) -> dict[str, Reply]:
    """The readable replies among `keys`, read through an open connection."""
    found: dict[str, Reply] = {}
    for part in _parts(list(dict.fromkeys(keys))):
        marks = ",".join("?" * len(part))
        query = f"SELECT key, reply FROM replies WHERE key IN ({marks})"  # noqa: S608 - question marks only
        for key, stored in connection.execute(query, part):
            reply = _decoded(stored)
            if reply is not None:
                found[key] = reply
    return found


def _parts(keys: list[str]) -> Iterator[list[str]]:
    return (keys[start : start + _KEYS_PER_QUERY] for start in range(0, len(keys), _KEYS_PER_QUERY))


def _encoded(reply: Reply) -> str:
    return json.dumps(dataclasses.asdict(reply), ensure_ascii=True, separators=(",", ":"))


def _decoded(stored: str) -> Reply | None:
    try:
        fields: dict[str, Any] = json.loads(stored)
        scores = fields.pop("scores")
        usage = Usage(**fields.pop("usage"))
        if (ended := fields.pop("stop_reason", None)) is not None:
            fields["outcome"] = _OUTCOMES.get(ended, "answer")
        return Reply(scores=None if scores is None else tuple(map(float, scores)), usage=usage, **fields)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
