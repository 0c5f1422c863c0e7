"""The answer store: what was paid for once is never paid for again, whatever is killed when.

An answer's key is the hash of the complete request, so a changed word in a prompt, another demonstration, model or
schema is another question. Replies are stored before anything is computed from them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from freeal.errors import ConfigError, Where
from freeal.types import Prompt, Reply, Usage

_ALGORITHM = "freeal-request-1"
_SCHEMA_VERSION = 1
_BUSY_TIMEOUT_SECONDS = 60.0
_KEYS_PER_QUERY = 500  # SQLite's oldest limit on variables is 999


def request_key(prompt: Prompt, fingerprint: str) -> str:
    """SHA-256 over the canonical JSON of the complete request and this algorithm's name, in hexadecimal."""
    request = {"algorithm": _ALGORITHM, "fingerprint": fingerprint, "prompt": dataclasses.asdict(prompt)}
    canonical = json.dumps(request, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


class AnswerStore(Protocol):
    """Replies by request key. May be called from any thread."""

    def get_many(self, keys: Iterable[str]) -> dict[str, Reply]:
        """The stored replies among `keys`."""

    def put_many(self, replies: Mapping[str, Reply]) -> None:
        """Store replies; when this returns they survive a crash. A reply already there is replaced."""

    def close(self) -> None:
        """Release the file."""


class MemoryStore:
    """An answer store that lives as long as its object."""

    def __init__(self) -> None:
        self._replies: dict[str, Reply] = {}

    def __len__(self) -> int:
        """How many replies are stored."""
        return len(self._replies)

    def get_many(self, keys: Iterable[str]) -> dict[str, Reply]:
        """The stored replies among `keys`."""
        return {key: self._replies[key] for key in keys if key in self._replies}

    def put_many(self, replies: Mapping[str, Reply]) -> None:
        """Store replies until the object goes."""
        self._replies.update(replies)

    def close(self) -> None:
        """Nothing to release."""


class SqliteStore:
    """An answer store in one SQLite file: WAL, a full sync per commit, safe with several processes and threads.

    Raises `ConfigError` for a file that is damaged, is no answer store, or was written by a later version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(
            path, timeout=_BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            self._prepare()
        except sqlite3.DatabaseError as cause:
            self._connection.close()
            raise ConfigError(
                f"the answer store cannot be used: {cause}",
                where=Where(file=path),
                hint="move the file away: a new one is made, and its answers are asked for again",
            ) from cause
        except ConfigError:
            self._connection.close()
            raise

    def get_many(self, keys: Iterable[str]) -> dict[str, Reply]:
        """The stored replies among `keys`; an entry that cannot be read counts as missing."""
        wanted = list(dict.fromkeys(keys))
        found: dict[str, Reply] = {}
        for start in range(0, len(wanted), _KEYS_PER_QUERY):
            part = wanted[start : start + _KEYS_PER_QUERY]
            marks = ",".join("?" * len(part))
            query = f"SELECT key, reply FROM replies WHERE key IN ({marks})"  # noqa: S608 - question marks only
            with self._lock:
                rows = self._connection.execute(query, part).fetchall()
            for key, stored in rows:
                reply = _decoded(stored)
                if reply is not None:
                    found[key] = reply
        return found

    def put_many(self, replies: Mapping[str, Reply]) -> None:
        """Store replies in one transaction; on disk when this returns."""
        now = time.time()
        rows = [(key, _encoded(reply), now) for key, reply in replies.items()]
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._connection.executemany(
                    "INSERT OR REPLACE INTO replies (key, reply, stored_at) VALUES (?, ?, ?)", rows
                )
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Close the file; the last process to do so folds the write-ahead log into it."""
        with self._lock:
            self._connection.close()

    def _prepare(self) -> None:
        self._enter_wal_mode()
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("BEGIN IMMEDIATE")
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version > _SCHEMA_VERSION:
            self._connection.execute("ROLLBACK")
            raise ConfigError(
                f"the answer store has format {version}; this version reads up to {_SCHEMA_VERSION}",
                where=Where(file=self._path),
                hint="it was written by a later version of this software: use that one",
            )
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, reply TEXT NOT NULL, stored_at REAL NOT NULL)"
            " WITHOUT ROWID"
        )
        self._connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
        self._connection.execute("COMMIT")

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


def _encoded(reply: Reply) -> str:
    return json.dumps(dataclasses.asdict(reply), ensure_ascii=True, separators=(",", ":"))


def _decoded(stored: str) -> Reply | None:
    try:
        fields: dict[str, Any] = json.loads(stored)
        scores = fields.pop("scores")
        usage = Usage(**fields.pop("usage"))
        return Reply(scores=None if scores is None else tuple(map(float, scores)), usage=usage, **fields)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
