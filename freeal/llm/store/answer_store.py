"""The answer store: what was paid for once is never paid for again, whatever is killed when.

An answer's key is the hash of the complete request, so a changed word in a prompt, another demonstration, model or
schema is another question. Replies are stored before anything is computed from them, and what they cost is stored with
them in one commit, which also strikes out the call that was written down before it went (bill_records.py): after a
kill the books agree with the answers.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import sqlite3
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from freeal.files.sqlite_transaction import transaction
from freeal.llm.store import bill_records, store_file
from freeal.llm.store.bill_records import NO_BILL, JobBill, OpenCall
from freeal.llm.store.store_file import BUSY_TIMEOUT_SECONDS
from freeal.types import Bill, Outcome, Prompt, Reply, Usage

KEYS_AT_ONCE = 5_000
"""To look up where there may be a million: their replies are some megabytes."""

_ALGORITHM = "freeal-request-1"
_KEYS_PER_QUERY = 500  # SQLite's oldest limit on variables is 999


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


class AnswerStore(Protocol):
    """Replies by request key, and one job's bill. May be called from any thread.

    Raises `StoreBusyError` when somebody else holds the file for too long.
    """

    def get_many(self, keys: Iterable[str]) -> dict[str, Reply]:
        """The stored replies among `keys`."""

    def put_many(
        self,
        replies: Mapping[str, Reply],
        *,
        bill: Bill = NO_BILL,
        opened: Sequence[OpenCall] = (),
        closed: Collection[str] = (),
        given_up: Sequence[str] = (),
    ) -> None:
        """Put replies into the answer store and add `bill` to what this job was billed; when this returns both survive
        a crash.

        In the same commit calls that are about to go are written down (`opened`), those that came back struck out
        (`closed`), and the most that lost ones can have cost is left with their jobs, as unconfirmed (`given_up`). A
        reply already there is replaced.
        """

    def set_aside(self, keys: Iterable[str]) -> None:
        """Give these replies out no more: they are no answers. They are kept, for whoever wants to see what came."""

    def begin(self) -> Bill:
        """What this job was billed before this run. Live calls that a killed run left open are given up; batches are
        not among it, see `open_batches`."""

    def open_batches(self) -> dict[str, float]:
        """The batches of this job that are not read yet, by the id of their call: the most each can cost in USD."""

    def billed(self) -> Bill:
        """What this job was billed so far, earlier runs included; what is under way counts as unconfirmed."""

    def close(self) -> None:
        """Release the file."""


class MemoryStore:
    """An answer store that lives as long as its object."""

    def __init__(self) -> None:
        self._replies: dict[str, Reply] = {}
        self._bill = NO_BILL
        self._open: dict[str, OpenCall] = {}

    def __len__(self) -> int:
        """How many replies are stored."""
        return len(self._replies)

    def get_many(self, keys: Iterable[str]) -> dict[str, Reply]:
        """The stored replies among `keys`."""
        return {key: self._replies[key] for key in keys if key in self._replies}

    def put_many(
        self,
        replies: Mapping[str, Reply],
        *,
        bill: Bill = NO_BILL,
        opened: Sequence[OpenCall] = (),
        closed: Collection[str] = (),
        given_up: Sequence[str] = (),
    ) -> None:
        """Put replies into this answer store in memory, until the object goes."""
        self._replies.update(replies)
        self._bill = self._bill + bill
        self._open.update({call.id: call for call in opened})
        for call_id in given_up:
            self._bill = self._bill + Bill(unconfirmed_usd=self._open[call_id].usd)
        for call_id in (*closed, *given_up):
            self._open.pop(call_id, None)

    def begin(self) -> Bill:
        """What was billed since the object was made."""
        self.put_many({}, given_up=[call.id for call in self._open.values() if not call.in_batch])
        return self._bill

    def open_batches(self) -> dict[str, float]:
        """The batches that are not read yet."""
        return {call.id: call.usd for call in self._open.values() if call.in_batch}

    def set_aside(self, keys: Iterable[str]) -> None:
        """Give these replies out no more."""
        for key in keys:
            self._replies.pop(key, None)

    def billed(self) -> Bill:
        """What was billed since the object was made; what is under way counts as unconfirmed."""
        return self._bill + Bill(unconfirmed_usd=sum(call.usd for call in self._open.values()))

    def close(self) -> None:
        """Nothing to release."""


class SqliteStore:
    """An answer store in one SQLite file: WAL, a full sync per commit, safe with several processes and threads.

    `job` is whose bill is kept, `billed_to` the model that it is for, `asked_of` who answers (`provider/model`), for
    `python -m freeal cache`. Raises `ConfigError` for a file that is damaged, is no answer store, or was written by a
    later version, and `StoreBusyError` after `busy_timeout_seconds` in which somebody else held it.
    """

    def __init__(
        self,
        path: Path,
        *,
        job: str = "",
        billed_to: str = "",
        asked_of: str = "",
        busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS,
    ) -> None:
        self._path = path
        self._job = job
        self._billed_to = billed_to
        self._asked_of = asked_of
        self._lock = threading.Lock()
        self._busy_timeout_seconds = busy_timeout_seconds
        self._connection = store_file.open_store_file(path, busy_timeout_seconds=busy_timeout_seconds)

    def get_many(self, keys: Iterable[str]) -> dict[str, Reply]:
        """The stored replies among `keys`, each counted as a hit; an entry that cannot be read counts as missing."""
        with self._in_turn():
            found = stored_replies(self._connection, keys)
            if found:
                self._count_hits(list(found))
        return found

    def put_many(
        self,
        replies: Mapping[str, Reply],
        *,
        bill: Bill = NO_BILL,
        opened: Sequence[OpenCall] = (),
        closed: Collection[str] = (),
        given_up: Sequence[str] = (),
    ) -> None:
        """Put replies into this answer store, with their bill and what it says of calls, in one transaction; on disk
        when this returns."""
        now = time.time()
        rows = [(key, _encoded(reply), now, now, self._asked_of) for key, reply in replies.items()]
        with self._in_turn(), transaction(self._connection):
            self._connection.executemany(
                "INSERT OR REPLACE INTO replies (key, reply, stored_at, used_at, asked_of) VALUES (?, ?, ?, ?, ?)", rows
            )
            bill_records.add(self._connection, self._job, bill, billed_to=self._billed_to)
            bill_records.write_down(self._connection, self._job, opened, billed_to=self._billed_to)
            bill_records.strike_out(self._connection, closed)
            bill_records.give_up_calls(self._connection, given_up)

    def begin(self) -> Bill:
        """What this job was billed before this run; its live calls that nobody struck out are given up for good."""
        with self._in_turn(), transaction(self._connection):
            bill_records.give_up_killed(self._connection, self._job)
            return bill_records.booked(self._connection, self._job)

    def open_batches(self) -> dict[str, float]:
        """The batches of this job that are not read yet: the most each can cost."""
        with self._in_turn():
            return bill_records.open_usd(self._connection, self._job, in_batch=True)

    def set_aside(self, keys: Iterable[str]) -> None:
        """Move replies out of the way of their questions: under their key and the time, which is nobody's key."""
        moves = [(f"{key}:{time.time_ns()}", key) for key in keys]
        with self._lock, transaction(self._connection):
            self._connection.executemany("UPDATE replies SET key = ? WHERE key = ?", moves)

    def billed(self) -> Bill:
        """What this job was billed so far, by this process and those before it, what is open as unconfirmed."""
        with self._in_turn(), transaction(self._connection):
            open_usd = sum(bill_records.open_usd(self._connection, self._job).values())
            return bill_records.booked(self._connection, self._job) + Bill(unconfirmed_usd=open_usd)

    def bills_of_model(self) -> list[JobBill]:
        """What this job and all others that were billed to the same model came to, in the order they began; what is
        open as unconfirmed. Those that were forgotten are missing."""
        with self._in_turn(), transaction(self._connection):
            return bill_records.bills_for(self._connection, self._billed_to, job=self._job)

    def forget_bill(self) -> None:
        """Begin this job's bill anew: its run is over, and another of the same name is another job."""
        with self._in_turn(), transaction(self._connection):
            bill_records.forget(self._connection, self._job)

    @contextlib.contextmanager
    def _in_turn(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except sqlite3.OperationalError as cause:
                if store_file.is_busy(cause):
                    raise store_file.store_busy_error(self._path, self._busy_timeout_seconds) from cause
                raise

    def close(self) -> None:
        """Close the file; the last process to do so folds the write-ahead log into it."""
        with self._lock:
            self._connection.close()

    def _count_hits(self, keys: list[str]) -> None:
        now = time.time()
        with transaction(self._connection):
            for part in _parts(keys):
                marks = ",".join("?" * len(part))
                update = f"UPDATE replies SET hits = hits + 1, used_at = ? WHERE key IN ({marks})"  # noqa: S608
                self._connection.execute(update, [now, *part])


def stored_replies(connection: sqlite3.Connection, keys: Iterable[str]) -> dict[str, Reply]:
    """The readable replies among `keys`, read through an open connection."""
    found: dict[str, Reply] = {}
    for part in _parts(list(dict.fromkeys(keys))):
        marks = ",".join("?" * len(part))
        query = f"SELECT key, reply FROM replies WHERE key IN ({marks})"  # noqa: S608 - question marks only
        for key, stored in connection.execute(query, part):
            reply = _decoded_reply(stored)
            if reply is not None:
                found[key] = reply
    return found


def _parts(keys: list[str]) -> Iterator[list[str]]:
    return (keys[start : start + _KEYS_PER_QUERY] for start in range(0, len(keys), _KEYS_PER_QUERY))


def _encoded(reply: Reply) -> str:
    return json.dumps(dataclasses.asdict(reply), ensure_ascii=True, separators=(",", ":"))


def _decoded_reply(stored: str) -> Reply | None:
    try:
        fields: dict[str, Any] = json.loads(stored)
        scores = fields.pop("scores")
        usage = Usage(**fields.pop("usage"))
        if (ended := fields.pop("stop_reason", None)) is not None:
            fields["outcome"] = _OUTCOMES.get(ended, "answer")
        return Reply(scores=None if scores is None else tuple(map(float, scores)), usage=usage, **fields)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
