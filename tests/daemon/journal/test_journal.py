"""What was begun and what is finished, on disk."""

from __future__ import annotations

import sqlite3

import pytest

from daemon.errors import DiskError, IllegalMoveError, NewerJournalError, OlderJournalError, UnknownJobError
from daemon.journal.job_record import Job, State
from daemon.journal.journal import FILE_NAME, Journal
from daemon.journal.prediction_record import Prediction
from daemon.journal.schema import SCHEMA_VERSION, STEPS

JOB = Job(id="m-1", name="m", key="k", csv_name="a.csv", spec_name="a.yaml", created_at=1.0, updated_at=1.0)


def test_a_job_comes_back_as_it_was_written(journal):
    """Every field survives the file."""
    journal.add(JOB)
    assert JOB == journal.job("m-1")


def test_a_job_survives_closing_the_file(settings, hands):
    """A restart finds what was begun."""
    with Journal(settings.state, hands.clock) as first:
        first.add(JOB)
    with Journal(settings.state, hands.clock) as second:
        assert [JOB] == second.unfinished()


def test_a_commit_survives_a_power_cut(journal):
    """Write-ahead log, synced at every commit."""
    with journal.transaction() as connection:
        assert ("wal", 2) == (
            connection.execute("PRAGMA journal_mode").fetchone()[0],
            connection.execute("PRAGMA synchronous").fetchone()[0],
        )


def test_a_move_changes_state_fields_and_time(journal, hands):
    """The row says what is the case now."""
    journal.add(JOB)
    hands.pass_by(5.0)
    moved = journal.move("m-1", State.FAILED, error={"problem": "x"})
    assert (State.FAILED, {"problem": "x"}, hands.wall_seconds) == (moved.state, moved.error, moved.updated_at)


def test_an_illegal_move_leaves_the_row_alone(journal):
    """The machine of states is enforced where it is written down."""
    journal.add(JOB)
    journal.move("m-1", State.FAILED)
    with pytest.raises(IllegalMoveError):
        journal.move("m-1", State.TRAINING, round=7)
    assert (State.FAILED, 0) == (journal.job("m-1").state, journal.job("m-1").round)


def test_an_unknown_job_is_named(journal):
    """The message says which id was asked for."""
    with pytest.raises(UnknownJobError, match="no job 'nobody'"):
        journal.job("nobody")


def test_only_complete_jobs_count_as_done_content(journal):
    """A result cut off by a budget, or one that only pointed at another, does not stand in for a run."""
    for number, fields in enumerate([{"partial": True}, {"reason": "the same as m-0"}, {}]):
        journal.add(Job(**{**_fields(JOB), "id": f"m-{number}"}))
        journal.move(f"m-{number}", State.DONE, **fields)
    assert ["m-2"] == [job.id for job in journal.done_with_key("k")]


def test_a_later_format_is_refused_and_left_alone(settings, hands):
    """A downgrade must not damage what the newer version wrote."""
    with sqlite3.connect(settings.state / FILE_NAME) as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(NewerJournalError, match="format 99"):
        Journal(settings.state, hands.clock)


def test_an_earlier_format_is_left_alone_under_a_running_service(settings, hands):
    """`status` of a new version must not end a service of the old one; whoever holds the lock converts."""
    connection = sqlite3.connect(settings.state / FILE_NAME)
    for statement in ";".join(STEPS[:-1]).split(";"):
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version={SCHEMA_VERSION - 1}")
    connection.commit()
    with pytest.raises(OlderJournalError, match=f"format {SCHEMA_VERSION - 1}"):
        Journal(settings.state, hands.clock, may_convert=False)
    assert SCHEMA_VERSION - 1 == connection.execute("PRAGMA user_version").fetchone()[0]
    Journal(settings.state, hands.clock).close()
    assert SCHEMA_VERSION == connection.execute("PRAGMA user_version").fetchone()[0]
    connection.close()


def test_predictions_are_written_down_and_closed(journal):
    """A restart sees which were claimed and not finished."""
    for number in (1, 2):
        journal.add_prediction(
            Prediction(id=f"p-{number}", model="m", csv_name="x.csv", created_at=float(number), updated_at=0.0)
        )
    journal.finish_prediction("p-1", state="done", rows=3)
    assert [("done", 3), ("claimed", None)] == [(one.state, one.rows) for one in journal.predictions()]


@pytest.mark.parametrize(
    "ask",
    [
        Journal.unfinished,
        Journal.requests,
        Journal.claimed_predictions,
        lambda journal: journal.has_job("m-1"),
        lambda journal: journal.has_prediction("p-1"),
        lambda journal: journal.done_with_key("k"),
        lambda journal: journal.claimed_from("[]"),
        lambda journal: journal.predictions_ended_since(1.0),
    ],
)
def test_what_every_turn_asks_reads_no_whole_table(journal, ask):
    """Each of these queries has an index that leads it: years of finished rows slow nothing down."""
    with journal.transaction() as connection:
        asked = []
        connection.set_trace_callback(asked.append)
    ask(journal)
    with journal.transaction() as connection:
        connection.set_trace_callback(None)
        [query] = [statement for statement in asked if statement.startswith("SELECT")]
        plan = [row["detail"] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}")]
    assert [] == [step for step in plan if step.startswith("SCAN") and "jobs_" not in step], plan


def test_only_the_newest_finished_rows_are_remembered(journal):
    """What is not finished stays, however old; what was spent stays booked."""
    for number in range(6):
        fields = _fields(JOB) | {"id": f"m-{number}", "created_at": float(number)}
        journal.add(Job(**fields))
        journal.add_prediction(
            Prediction(id=f"p-{number}", model="m", csv_name="x.csv", created_at=float(number), updated_at=0.0)
        )
    for number in range(1, 6):
        journal.move(f"m-{number}", State.FAILED)
        journal.finish_prediction(f"p-{number}", state="done")
    assert 6 == journal.prune(2)
    assert ["m-0", "m-4", "m-5"] == [job.id for job in journal.jobs()]
    assert ["p-0", "p-4", "p-5"] == [one.id for one in journal.predictions()]
    assert ["m-4", "m-5"] == [job.id for job in journal.finished(10)]


def test_a_full_disk_is_an_error_of_its_own_and_passes(journal):
    """SQLite finds no room: nothing is half written, and the next attempt succeeds when there is some."""
    with journal.transaction() as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
    large = Job(**{**_fields(JOB), "spec": "x" * 100_000})
    with pytest.raises(DiskError, match="no room"):
        journal.add(large)
    assert [] == journal.jobs()
    with journal.transaction() as connection:
        connection.execute("PRAGMA max_page_count = 100000")
    journal.add(large)
    assert [large] == journal.jobs()


def _fields(job):
    return {name: getattr(job, name) for name in job.__dataclass_fields__}
