"""Leave to ask about rows below a model's promise (daemon/predictions/asking_leave.py)."""

from __future__ import annotations

import contextlib
import json

import pytest

from daemon.journal.prediction_record import Prediction
from daemon.limits.daily_spend import Purse
from daemon.outbox import durable_file_moves
from daemon.predictions.asking_leave import AskingLeave
from freeal.llm.store.answer_store import SqliteStore
from freeal.settings import LlmSettings, PredictSettings
from freeal.types import Bill, Usage

SPEC = {"name": "m", "description": "?", "labels": {"a": "", "b": ""}, "llm": {"provider": "openai"}}
ONE = Prediction(id="m-p1", model="m", csv_name="new.csv", created_at=0.0, updated_at=0.0)


@pytest.fixture
def promising(settings):
    """A model with a promise, and settings that allow half a dollar for a table and one for the day."""
    version = settings.models / "m" / "versions" / "m-1"
    (version / "model").mkdir(parents=True)
    card = {"schema_version": 1, "labels": ["a", "b"], "base_model": "b", "mode": "frozen", "max_length": 8}
    card |= {"temperature": 1.0, "extra": {"promise": {"scope": "all", "labels": {}}}}
    (version / "model" / "freeal.json").write_text(json.dumps(card))
    (version / "run.json").write_text(json.dumps({"spec": SPEC}))
    (version / "metrics.json").write_text(json.dumps({"llm": {"provider": "openai", "model": "m"}}))
    durable_file_moves.replace_link_durably(settings.models / "m" / "model", "versions/m-1/model")
    predict, llm = PredictSettings(ask_below_promise_usd=0.5), LlmSettings(daily_budget_usd=1.0)
    return settings.model_copy(update={"predict": predict, "llm": llm})


@pytest.fixture
def leave(journal, hands, tmp_path):
    """On the empty journal."""
    return AskingLeave(journal, hands.clock, key_folder=tmp_path)


def _pay(settings, usd):
    with contextlib.closing(SqliteStore(settings.answers, job=ONE.id)) as store:
        store.put_many({}, bill=Bill(usd, Usage(calls=1)))


def test_what_a_table_may_cost_is_set_aside_once_and_the_rest_given_back(leave, promising, journal, hands):
    """Slice after slice it is the same cap; what was paid is in the books of the day."""
    purse = Purse(journal, hands.clock)
    assert (0.5, "m-p1") == (
        leave.leave_to_ask(ONE, promising).llm.budget_usd,
        leave.leave_to_ask(ONE, promising).payer,
    )
    assert {"m-p1": 0.5} == purse.reserved()
    _pay(promising, 0.125)
    leave.book(ONE.id, promising)
    assert (0.125, {"m-p1": 0.375}) == (purse.spent_today_usd(), purse.reserved())
    assert 0.5 == leave.leave_to_ask(ONE, promising).llm.budget_usd
    leave.over(ONE.id, promising)
    assert (0.125, {}) == (purse.spent_today_usd(), purse.reserved())


def test_a_day_without_money_lets_nobody_be_asked(leave, promising, journal, hands):
    """The cap is then nothing, and the table is labelled without."""
    Purse(journal, hands.clock).book_spend("a job", 1.0)
    assert 0.0 == leave.leave_to_ask(ONE, promising).llm.budget_usd


def test_without_the_owners_word_or_a_promise_nobody_is_asked(leave, promising):
    """And its process gets no key; else that of the provider of the model's spec."""
    assert "openai" == leave.provider_asked_about(ONE, promising)
    silent = promising.model_copy(update={"predict": PredictSettings()})
    assert (None, None) == (leave.leave_to_ask(ONE, silent), leave.provider_asked_about(ONE, silent))
    path = promising.models / "m" / "versions" / "m-1" / "model" / "freeal.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "extra": {}}))
    assert (None, None) == (leave.leave_to_ask(ONE, promising), leave.provider_asked_about(ONE, promising))
