"""`status` for eyes: in 80 columns, and in a pipe."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from daemon.config import Settings
from daemon.host.clock import Clock
from daemon.journal.job_record import Job, State
from daemon.journal.journal import Journal
from daemon.journal.prediction_record import Prediction
from daemon.status.status_snapshot import status_snapshot
from daemon.status.status_table import show_status

LONG = "customer-mails-of-the-year-20261129-213927-add988"
FAILED = "mails-20261129-213746-add988"
ERROR = {
    "job": FAILED,
    "time": "2026-11-29T21:37:47Z",
    "kind": "InputError",
    "problem": "text_columns names a column that is not there",
    "where": {"file": "/x/inbox/failed/mails.csv", "line": 1, "column": "Betref"},
    "hint": "did you mean 'Betreff'?",
}


def _job(identity, **fields):
    return Job(
        id=identity, name="m", key="", csv_name="a.csv", spec_name="a.yaml", created_at=1.0, updated_at=1.0, **fields
    )


@pytest.fixture
def status(tmp_path):
    """One job under way and one that failed, of a service that runs."""
    settings = Settings(inbox=tmp_path / "inbox", models=tmp_path / "models", state=tmp_path)
    with Journal(tmp_path, Clock()) as journal:
        under_way = {"round": 1, "rounds": 3, "stage": "training", "done": 3, "total": 40, "overall": 0.37}
        journal.add(_job(LONG, state=State.TRAINING, ends_at=Clock().wall() + 300.5, **under_way))
        journal.add(_job(FAILED, state=State.FAILED, error=ERROR))
        yield status_snapshot(settings, Clock(), journal=journal, waiting=())


def _shown(status, *, terminal):
    stream = io.StringIO()
    show_status(status, Console(file=stream, force_terminal=terminal, width=80, color_system=None))
    return stream.getvalue()


def test_eighty_columns_are_enough(status):
    """No line is longer; the id is short, round and time are of the whole job, the note says file, line and column."""
    lines = _shown(status, terminal=True).splitlines()
    assert 80 >= max(map(len, lines))
    text = " ".join(" ".join(lines).split())
    assert (
        "customer-mails-of-the-y…-213927 training $0.0000 round 1 of 3, training █████░░░░░░░░░░░ 37%, 5 min left"
        in text
    )
    assert "line 1, column 'Betref': text_columns names a column that is not there (did you mean 'Betreff'?)" in text


def test_a_pipe_gets_whole_lines(status):
    """One line per job and per note, with the whole id, however wide the terminal is."""
    lines = _shown(status, terminal=False).splitlines()
    assert [LONG, FAILED] == [line.split()[0] for line in lines if "  $0.0000" in line]
    assert any(line.endswith("(did you mean 'Betreff'?)") and "mails.csv" in line for line in lines)


def test_without_a_service_nothing_is_under_way(tmp_path):
    """What a killed service left has no speed and no time left, and says what it waits for."""
    settings = Settings(inbox=tmp_path / "inbox", models=tmp_path / "models", state=tmp_path)
    with Journal(tmp_path, Clock()) as journal:
        left = {"round": 1, "rounds": 3, "stage": "training", "done": 3, "total": 40, "overall": 0.37}
        journal.add(_job(LONG, state=State.TRAINING, ends_at=Clock().wall() + 300.5, **left))
        journal.add_prediction(
            Prediction(
                id="p-1", model="m", csv_name="x.csv", created_at=1.0, updated_at=1.0, total=9, rows_per_second=2.0
            )
        )
        running, found = (
            status_snapshot(settings, Clock(), journal=journal, waiting=(), running=one) for one in (True, False)
        )
    assert [(2.0, 4.5), (None, None)] == [
        (one.content["predicting"][0]["per_second"], one.content["predicting"][0]["remaining_seconds"])
        for one in (running, found)
    ]
    assert (None, None) == (found.content["jobs"][0]["remaining_seconds"], found.content["jobs"][0]["per_second"])
    text = _shown(found, terminal=False)
    assert "37%" in text.replace("37 %", "37%")
    assert "min left" not in text
    assert "stands still until a service is started" in text


def test_a_job_has_the_same_keys_in_every_state(status):
    """A program that reads `--json` need not ask which state a job is in."""
    under_way, ended = status.content["jobs"][0], status.content["finished"][0]
    assert list(under_way) == list(ended)


@pytest.mark.parametrize(("prices", "is_told"), [({}, True), ({"mine": {"input": 0, "output": 0}}, False)])
def test_sums_that_lack_a_model_without_a_price_say_so(tmp_path, prices, is_told):
    """$0.0000 would else read as: nothing was paid."""
    llm = {"provider": "openai", "model": "mine", "prices": prices}
    settings = Settings(inbox=tmp_path / "inbox", models=tmp_path / "models", state=tmp_path, llm=llm)
    with Journal(tmp_path, Clock()) as journal:
        status = status_snapshot(settings, Clock(), journal=journal, waiting=())
    assert ("mine" if is_told else None) == status.content["model_without_price"]
    assert is_told == ("not in these sums: what mine costs" in _shown(status, terminal=False))
