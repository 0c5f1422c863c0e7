"""What jobs were billed, and what calls under way may come to: two tables in the answer store's file.

A call is written down with the most it can cost before it goes (`open_calls`), and struck out in the commit that keeps
its reply and books what it did cost. Whatever is killed when, `usd` and `unconfirmed_usd` together are then never below
the provider's bill: what nobody struck out counts as unconfirmed.

Each bill has an id, the same for as long as it is not forgotten, by which whoever adds up bills knows one that it has
counted before, and says for which model it is (`billed_to`).
"""

from __future__ import annotations

import dataclasses
import secrets
import sqlite3
import time
from collections.abc import Iterable, Sequence

from freeal.types import Bill, Usage

NO_BILL = Bill()

_USAGE_COLUMNS = tuple(field.name for field in dataclasses.fields(Usage))
_COUNT = " INTEGER NOT NULL, ".join(_USAGE_COLUMNS)
_COLUMNS = ("usd", "unconfirmed_usd", *_USAGE_COLUMNS)

BILLS = (
    "CREATE TABLE bills (job TEXT PRIMARY KEY, usd REAL NOT NULL, unconfirmed_usd REAL NOT NULL, "
    f"{_COUNT} INTEGER NOT NULL, updated_at REAL)"
)
OPEN_CALLS = (
    "CREATE TABLE open_calls (call TEXT PRIMARY KEY, job TEXT NOT NULL, usd REAL NOT NULL, "
    "in_batch INTEGER NOT NULL, opened_at REAL NOT NULL) WITHOUT ROWID"
)
WHOSE_BILLS = (
    "ALTER TABLE bills ADD COLUMN id TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE bills ADD COLUMN billed_to TEXT NOT NULL DEFAULT ''",
    "UPDATE bills SET id = lower(hex(randomblob(8)))",
)

_ADD = (
    f"INSERT INTO bills (job, id, billed_to, {', '.join(_COLUMNS)}, updated_at) "  # noqa: S608 - names of ours
    f"VALUES (?, ?, ?{', ?' * len(_COLUMNS)}, ?) ON CONFLICT (job) DO UPDATE SET "
    + ", ".join(f"{name} = {name} + excluded.{name}" for name in _COLUMNS)
    + ", updated_at = excluded.updated_at"
)


@dataclasses.dataclass(frozen=True, slots=True)
class OpenCall:
    """A call, or a batch, that is about to go: the most it can cost, in US dollars."""

    usd: float
    id: str = dataclasses.field(default_factory=lambda: secrets.token_hex(8))
    in_batch: bool = False
    """Found again after a kill and read: it stays open until then. Of any other call the reply is lost."""


@dataclasses.dataclass(frozen=True, slots=True)
class JobBill:
    """What a job was billed so far, under the bill's id."""

    id: str
    job: str
    bill: Bill


def add(connection: sqlite3.Connection, job: str, bill: Bill, *, billed_to: str = "") -> None:
    """Add to what a job was billed."""
    if bill != NO_BILL:
        _add(connection, job, bill, billed_to=billed_to)


def _add(connection: sqlite3.Connection, job: str, bill: Bill, *, billed_to: str) -> None:
    amounts = (bill.usd, bill.unconfirmed_usd, *dataclasses.astuple(bill.usage))
    connection.execute(_ADD, (job, secrets.token_hex(8), billed_to, *amounts, time.time()))


def write_down(connection: sqlite3.Connection, job: str, calls: Sequence[OpenCall], *, billed_to: str = "") -> None:
    """Calls of a job that are about to go: from now on it has a bill."""
    now = time.time()
    rows = [(call.id, job, call.usd, call.in_batch, now) for call in calls]
    if rows:
        _add(connection, job, NO_BILL, billed_to=billed_to)
    connection.executemany("INSERT OR REPLACE INTO open_calls VALUES (?, ?, ?, ?, ?)", rows)


def strike_out(connection: sqlite3.Connection, calls: Iterable[str]) -> None:
    """Calls that came back, or never went."""
    connection.executemany("DELETE FROM open_calls WHERE call = ?", [(call,) for call in calls])


def give_up_calls(connection: sqlite3.Connection, calls: Sequence[str]) -> None:
    """Calls whose replies nobody will ever see: the most they can have cost stays with their jobs, as unconfirmed."""
    for call in calls:
        found = connection.execute("SELECT job, usd FROM open_calls WHERE call = ?", (call,)).fetchone()
        if found is not None:
            add(connection, found[0], Bill(unconfirmed_usd=found[1]))
    strike_out(connection, calls)


def give_up_killed(connection: sqlite3.Connection, job: str) -> None:
    """The live calls that an earlier run of a job left open: it was killed with them under way."""
    rows = connection.execute("SELECT call FROM open_calls WHERE job = ? AND NOT in_batch", (job,)).fetchall()
    give_up_calls(connection, [call for (call,) in rows])


def booked(connection: sqlite3.Connection, job: str) -> Bill:
    """What a job was billed, without what is still open."""
    query = f"SELECT {', '.join(_COLUMNS)} FROM bills WHERE job = ?"  # noqa: S608 - names of ours
    row = connection.execute(query, (job,)).fetchone()
    return NO_BILL if row is None else Bill(row[0], Usage(*row[2:]), row[1])


def open_usd(connection: sqlite3.Connection, job: str, *, in_batch: bool | None = None) -> dict[str, float]:
    """A job's open calls, those in batches or not, or all: the most each can cost."""
    query = "SELECT call, usd FROM open_calls WHERE job = ? AND (? IS NULL OR in_batch = ?)"
    return dict(connection.execute(query, (job, in_batch, in_batch)).fetchall())


def all_billed(connection: sqlite3.Connection) -> dict[str, Bill]:
    """What every job was billed, what is still open counted as unconfirmed."""
    query = f"SELECT job, {', '.join(_COLUMNS)} FROM bills"  # noqa: S608 - names of ours
    bills = {row[0]: Bill(row[1], Usage(*row[3:]), row[2]) for row in connection.execute(query)}
    for job, usd in connection.execute("SELECT job, SUM(usd) FROM open_calls GROUP BY job"):
        bills[job] = bills.get(job, NO_BILL) + Bill(unconfirmed_usd=usd)
    return bills


def bills_for(connection: sqlite3.Connection, billed_to: str, *, job: str) -> list[JobBill]:
    """What a job and all others for the same model were billed, what is still open counted as unconfirmed. Without a
    model, that of the job alone."""
    query = (
        f"SELECT id, job, {', '.join(_COLUMNS)} FROM bills "  # noqa: S608 - names of ours
        "WHERE job = ? OR (billed_to = ? AND billed_to <> '') ORDER BY rowid"
    )
    return [
        JobBill(
            row[0],
            row[1],
            Bill(row[2], Usage(*row[4:]), row[3] + sum(open_usd(connection, row[1]).values())),
        )
        for row in connection.execute(query, (job, billed_to)).fetchall()
    ]


def forget(connection: sqlite3.Connection, job: str) -> None:
    """Begin a job's bill anew."""
    connection.execute("DELETE FROM bills WHERE job = ?", (job,))
    connection.execute("DELETE FROM open_calls WHERE job = ? AND NOT in_batch", (job,))
