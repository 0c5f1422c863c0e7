"""Money for what asks a language model and is no job (daemon/limits/spend_beside_jobs.py)."""

from __future__ import annotations

import contextlib

import anyio
import pytest

from daemon.journal.prediction_record import Prediction
from daemon.journal.work_folder import Workplace
from daemon.limits.daily_spend import Purse
from daemon.limits.spend_beside_jobs import SpendBesideJobs
from daemon.predictions.asking_leave import AskingLeave
from daemon.recovery.restart_recovery import Recovery
from freeal.errors import BudgetReachedError
from freeal.llm.store.answer_store import SqliteStore
from freeal.llm.store.bill_records import OpenCall
from freeal.types import Bill, Usage

PAYER = "reviews-1-proposals"


@pytest.fixture
def purse(journal, hands):
    """Of the empty journal."""
    return Purse(journal, hands.clock)


@pytest.fixture
def spend(journal, hands):
    """On the empty journal."""
    return SpendBesideJobs(journal, hands.clock)


def _pay(answers, usd, *, open_usd=0.0):
    """As a child does that answers once, and is killed over another call where `open_usd` says so."""
    with contextlib.closing(SqliteStore(answers, job=PAYER)) as store:
        opened = [OpenCall(open_usd)] if open_usd else []
        store.put_many({}, bill=Bill(usd, Usage(calls=1)), opened=opened)


def test_what_was_paid_is_booked_and_the_rest_given_back(spend, purse, tmp_path):
    """A second run of the payer has what the first left; the cap is over both."""
    answers = tmp_path / "answers.sqlite"

    async def run(usd):
        async with spend.leave_to_spend(PAYER, answers=answers, cap_usd=1.0, daily_usd=5.0) as most:
            assert {PAYER: 1.0 - purse.spent_by_usd(PAYER)} == pytest.approx(purse.reserved())
            _pay(answers, usd)
            return most

    assert (1.0, 1.0) == (anyio.run(run, 0.25), anyio.run(run, 0.5))
    assert (0.75, {}) == (purse.spent_today_usd(), purse.reserved())


def test_the_day_is_kept(spend, purse, tmp_path):
    """No more than it has left is granted, and nothing once that is nothing."""
    answers = tmp_path / "answers.sqlite"
    purse.book_spend("another", 4.6)
    assert pytest.approx(0.4) == spend.grant_beside_jobs(PAYER, answers=answers, cap_usd=1.0, daily_usd=5.0)
    purse.book_spend("another", 0.4)
    with pytest.raises(BudgetReachedError, match="money of the day"):
        spend.grant_beside_jobs(PAYER, answers=answers, cap_usd=1.0, daily_usd=5.0)
    assert set() == purse.payers()
    assert spend.grant_beside_jobs(PAYER, answers=answers, cap_usd=None, daily_usd=None) is None


def test_what_a_kill_left_unreported_is_booked_at_the_next_start(spend, purse, journal, hands, settings):
    """The answer and, as unconfirmed, the call that was under way; and what was set aside is given back."""
    spend.grant_beside_jobs(PAYER, answers=settings.answers, cap_usd=1.0, daily_usd=5.0)
    _pay(settings.answers, 0.25, open_usd=0.125)
    Recovery(settings, journal, purse=purse, time=hands.clock).run()
    assert (0.25 + 0.125, 0.125) == (
        purse.spent_today_usd() + purse.unconfirmed_today_usd(),
        purse.unconfirmed_today_usd(),
    )
    assert (0.25, set()) == (purse.spent_by_usd(PAYER), purse.payers())
    Recovery(settings, journal, purse=purse, time=hands.clock).run()
    assert 0.25 == purse.spent_today_usd()


def test_what_goes_on_after_a_restart_keeps_what_is_set_aside_for_it(spend, purse, journal, hands, settings):
    """Its former process may still be on its way out and ask: no job is given that money, until the end gives it back,
    whatever the settings say by then. A prediction that had come to its end holds nothing."""
    ended, going_on = (
        Prediction(id=name, model="m", csv_name="new.csv", created_at=0.0, updated_at=0.0) for name in ("m-p1", "m-p2")
    )
    for one in (ended, going_on):
        journal.add_prediction(one)
        spend.grant_beside_jobs(one.id, answers=settings.answers, cap_usd=1.0, daily_usd=5.0)
    taken = Workplace(settings, going_on.id).inputs / going_on.csv_name
    taken.parent.mkdir(parents=True)
    taken.write_text("text\nfine\n")
    with contextlib.closing(SqliteStore(settings.answers, job=going_on.id)) as store:
        store.put_many({}, bill=Bill(0.25, Usage(calls=1)))
    Recovery(settings, journal, purse=purse, time=hands.clock).run()
    assert ({going_on.id: 0.75}, 0.25) == (purse.reserved(), purse.spent_today_usd())
    with contextlib.closing(SqliteStore(settings.answers, job=going_on.id)) as store:
        store.put_many({}, bill=Bill(0.125, Usage(calls=1)))
    AskingLeave(journal, hands.clock, key_folder=settings.state).over(going_on.id, settings)
    assert ({}, 0.375) == (purse.reserved(), purse.spent_today_usd())
