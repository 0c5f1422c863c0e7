"""The money of the day, and what a job may spend in its next run."""

from __future__ import annotations

import contextlib
import sqlite3

import anyio
import pytest

from daemon.host.clock import day
from daemon.journal.job_record import Job, Pause, State
from daemon.journal.journal import FILE_NAME, Journal
from daemon.journal.schema import STEPS
from daemon.journal.work_folder import Workplace
from daemon.limits.daily_spend import Purse
from daemon.limits.job_budget import Allowance, Allowances
from daemon.recovery.restart_recovery import Recovery
from freeal.llm.store.answer_store import SqliteStore
from freeal.llm.store.bill_records import OpenCall
from freeal.settings import LlmSettings
from freeal.spec.job_spec import Spec
from freeal.types import Bill, Usage

SPEC = Spec(name="m", description="x", labels={"a": "", "b": ""})
DAY = 86_400.0


def _job(number, **fields):
    known = {"id": f"m-{number}", "name": "m", "key": "", "csv_name": "a.csv", "spec_name": "a.yaml"}
    return Job(**known, created_at=float(number), updated_at=0.0, **fields)


@pytest.fixture
def purse(journal, hands):
    """Of the empty journal."""
    return Purse(journal, hands.clock)


@pytest.fixture
def grant(journal, purse, hands, settings):
    """Ask for an allowance as the runner does."""

    def granting(job, *, job_cap=None, day_cap=None):
        llm = LlmSettings(budget_usd=job_cap, daily_budget_usd=day_cap)
        office = Allowances(settings.model_copy(update={"llm": llm}), journal=journal, purse=purse, time=hands.clock)
        return anyio.run(office.grant_budget, job, SPEC, anyio.Event())

    return granting


def test_money_is_booked_by_day(purse, hands):
    """The cap per day holds over jobs and begins anew at midnight UTC."""
    purse.book_spend("m-1", 0.5)
    purse.book_spend("m-2", 0.25)
    assert 0.75 == purse.spent_today_usd()
    hands.pass_by(DAY)
    assert 0.0 == purse.spent_today_usd()


def test_two_processes_cannot_reserve_the_same_money(settings, hands):
    """What one connection to the journal set aside is gone for another."""
    with Journal(settings.state, hands.clock) as one, Journal(settings.state, hands.clock) as other:
        assert 3.0 == Purse(one, hands.clock).reserve("m-1", wanted_usd=3.0, cap_usd=4.0)
        assert 1.0 == Purse(other, hands.clock).reserve("m-2", wanted_usd=3.0, cap_usd=4.0)
        assert 0.0 == Purse(one, hands.clock).reserve("m-3", wanted_usd=None, cap_usd=4.0)


def test_a_job_and_its_day_are_booked_in_one(purse, journal):
    """A kill between the two would count the same call twice at the next start."""
    journal.add(_job(1, usd=0.25))
    purse.book_spend("m-1", 0.5)
    assert (0.75, 0.5) == (journal.job("m-1").usd, purse.spent_today_usd())


def test_what_a_job_spends_comes_off_what_it_reserved(purse):
    """Money is counted once, whether it is reserved or spent already; releasing gives the rest back."""
    purse.reserve("m-1", wanted_usd=3.0, cap_usd=4.0)
    purse.book_spend("m-1", 2.0)
    assert {"m-1": 1.0} == purse.reserved()
    assert 1.0 == purse.reserve("m-2", wanted_usd=None, cap_usd=4.0)
    purse.release("m-1")
    assert 2.0 == purse.reserve("m-2", wanted_usd=None, cap_usd=4.0)


@pytest.mark.parametrize(
    ("job_cap", "day_cap", "spent", "today", "expected"),
    [
        (None, None, 0, 9, None),
        (2, None, 0.5, 9, 1.5),
        (2, 5, 0, 4, 1.0),
        (2, 50, 3, 0, 0.0),
        (None, 5, 0, 1, 4.0),
    ],
)
def test_a_run_may_spend_what_job_and_day_have_left(journal, purse, grant, job_cap, day_cap, spent, today, expected):
    """The smaller of the two counts, less what earlier runs of the job and all jobs of the day have used."""
    job = _job(1, usd=float(spent))
    journal.add(job)
    purse.book_spend("m-9", today)
    assert Allowance(expected, Bill()) == grant(job, job_cap=job_cap, day_cap=day_cap)


def test_a_spent_day_pauses_until_midnight(journal, purse, grant, hands):
    """Not an hour longer."""
    journal.add(_job(1))
    purse.book_spend("m-9", 5.0)
    found = grant(_job(1), day_cap=5.0)
    assert isinstance(found, Pause)
    assert (True, DAY / 2) == (found.at_budget, found.until - hands.wall_seconds)


def test_what_a_killed_run_paid_for_is_booked_before_the_next(journal, purse, grant, settings):
    """The store knows of calls nobody reported; they count against the job's cap and the day's."""
    journal.add(_job(1, usd=0.25, calls=1))
    store = SqliteStore(settings.answers, job="m-1")
    bill = Bill(1.5, Usage(3, 30))
    store.put_many({}, bill=bill)
    store.close()
    assert Allowance(2.0, bill) == grant(journal.job("m-1"), job_cap=2.0, day_cap=9.0)
    assert (1.5, 3, 1.25) == (journal.job("m-1").usd, journal.job("m-1").calls, purse.spent_today_usd())


def test_a_lost_answer_store_does_not_give_the_money_back(journal, grant):
    """What the journal knows was spent counts although the store's own books begin anew."""
    journal.add(_job(1, usd=1.5))
    assert Allowance(0.5, Bill()) == grant(journal.job("m-1"), job_cap=2.0)


def test_a_restart_gives_back_what_a_finished_job_still_held(journal, purse, settings, hands):
    """A kill between a job's end and the return of its money must not shrink the days to come."""
    journal.add(_job(1, state=State.DONE))
    purse.reserve("m-1", wanted_usd=1.0, cap_usd=9.0)
    Recovery(settings, journal, purse=purse, time=hands.clock).run()
    assert {} == purse.reserved()


def test_a_restart_gives_back_what_dead_runs_reserved(journal, purse, settings, hands):
    """Their processes are gone: what was paid is booked when the job goes on."""
    journal.add(_job(1, state=State.ANNOTATING))
    Workplace(settings, "m-1").inputs.mkdir(parents=True)
    purse.reserve("m-1", wanted_usd=1.0, cap_usd=9.0)
    Recovery(settings, journal, purse=purse, time=hands.clock).run()
    assert {} == purse.reserved()


def test_a_journal_of_the_first_format_is_brought_up_to_date(settings, hands):
    """It has no reservations; its spend stays."""
    with sqlite3.connect(settings.state / FILE_NAME) as connection:
        connection.executescript(STEPS[0])
        connection.execute("INSERT INTO spend VALUES (?, 'm-1', 0.5)", (day(hands.wall_seconds),))
        connection.execute("PRAGMA user_version=1")
    connection.close()
    with Journal(settings.state, hands.clock) as opened:
        purse = Purse(opened, hands.clock)
        assert (0.5, 0.5) == (purse.spent_today_usd(), purse.reserve("m-1", wanted_usd=1.0, cap_usd=1.0))


@pytest.mark.parametrize(("back_seconds", "left"), [(3600.0, 1.5), (86_400.0, 1.5), (365 * 86_400.0, 2.0)])
def test_a_clock_set_back_makes_no_room_for_a_second_days_spend(purse, hands, back_seconds, left):
    """What was booked today or tomorrow counts; what lies further ahead was booked by a clock that was plainly wrong,
    and must not eat up the cap of a year."""
    purse.book_spend("m-1", 0.5)
    hands.wall_seconds -= back_seconds
    assert left == purse.reserve("m-2", wanted_usd=None, cap_usd=2.0)


def test_what_lost_replies_may_have_cost_counts_against_the_day(purse, hands):
    """As a figure of its own, told as a total and booked once, on the day it grew."""
    purse.reserve("m-1", wanted_usd=3.0, cap_usd=4.0)
    for total in (0.5, 0.5, 1.0):
        purse.book_unconfirmed("m-1", total)
    assert (0.0, 1.0) == (purse.spent_today_usd(), purse.unconfirmed_today_usd())
    assert {"m-1": 2.0} == purse.reserved()
    purse.release("m-1")
    assert 3.0 == purse.reserve("m-2", wanted_usd=None, cap_usd=4.0)
    hands.pass_by(DAY)
    purse.book_unconfirmed("m-1", 1.25)
    assert 0.25 == purse.unconfirmed_today_usd()


def test_what_an_earlier_run_may_have_been_billed_is_not_granted_again(journal, grant, settings):
    """The job's cap covers it, and the ledger that begins with it still has all that was granted."""
    journal.add(_job(1))
    with contextlib.closing(SqliteStore(settings.answers, job="m-1")) as store:
        store.put_many({}, bill=Bill(1.0, Usage(calls=1), 0.5))
    for day_cap in (None, 10.0):
        allowance = grant(journal.job("m-1"), job_cap=4.0, day_cap=day_cap)
        assert (4.0, 0.5) == (allowance.budget_usd, allowance.billed.unconfirmed_usd)


def test_what_turns_out_not_to_have_been_billed_is_given_back(purse, hands):
    """A batch that was under way when its job was killed has been read: off the last days first."""
    purse.book_unconfirmed("m-1", 1.0)
    purse.book_unconfirmed("m-2", 0.25)
    hands.pass_by(DAY)
    purse.book_unconfirmed("m-1", 1.5)
    purse.book_unconfirmed("m-1", 0.75)
    assert (0.0, {"m-1": 0.75, "m-2": 0.25}) == (purse.unconfirmed_today_usd(), purse.unconfirmed_by_job())
    purse.book_unconfirmed("m-1", 0.0)
    assert {"m-1": 0.0, "m-2": 0.25} == purse.unconfirmed_by_job()


def test_a_restart_books_what_killed_jobs_were_billed(journal, purse, settings, hands):
    """Finished ones too, calls that were under way among it; a job the store does not know keeps what is booked."""
    journal.add(_job(1, state=State.FAILED, usd=0.25))
    journal.add(_job(2, usd=0.5))
    with contextlib.closing(SqliteStore(settings.answers, job="m-1")) as store:
        store.put_many({}, bill=Bill(0.75, Usage(3)), opened=[OpenCall(0.125)])
    purse.book_unconfirmed("m-2", 2.0)
    for _ in range(2):
        Recovery(settings, journal, purse=purse, time=hands.clock).run()
        assert (0.75, 3) == (journal.job("m-1").usd, journal.job("m-1").calls)
        assert {"m-1": 0.125, "m-2": 2.0} == purse.unconfirmed_by_job()
    assert 0.5 == purse.spent_today_usd()


def test_a_store_that_cannot_be_read_does_not_keep_the_service_from_starting(journal, purse, settings, hands):
    """What it knows is booked when the job runs."""
    settings.answers.write_bytes(b"not a database at all" * 100)
    journal.add(_job(1, usd=0.5))
    Recovery(settings, journal, purse=purse, time=hands.clock).run()
    assert 0.5 == journal.job("m-1").usd


def test_what_a_run_did_not_report_is_booked_when_it_has_ended(journal, purse, settings, hands):
    """Its process was killed with two calls paid and one under way; nothing waits for a next run."""
    journal.add(_job(1, usd=0.25))
    with contextlib.closing(SqliteStore(settings.answers, job="m-1")) as store:
        store.put_many({}, bill=Bill(0.75, Usage(2)), opened=[OpenCall(0.5)])
    office = Allowances(settings, journal=journal, purse=purse, time=hands.clock)
    anyio.run(office.book_ended_run, journal.job("m-1"))
    assert (0.75, {"m-1": 0.5}) == (journal.job("m-1").usd, purse.unconfirmed_by_job())
