"""What a person sees while jobs run, and at the end."""

from __future__ import annotations

import dataclasses
import io
import json

import pytest
from rich.console import Console
from structlog.testing import capture_logs

from daemon.app import Report
from daemon.cli.once_summary import show_once_summary
from daemon.inbox.pairing import Waiting
from daemon.journal.job_record import Job, State
from daemon.journal.prediction_record import Prediction
from daemon.outbox.model_shelf import Shelf
from daemon.terminal.progress_bars import TerminalView
from daemon.terminal.progress_log import LogView
from freeal.events import BatchProgress, Notice, Progress, RoundFinished, Spend

JOB = Job(id="m-1", name="m", key="k", csv_name="a.csv", spec_name="a.yaml", created_at=1.0, updated_at=1.0)
METRICS = {
    "llm": {"model": "haiku", "provider": "anthropic"},
    "student": {"model": "minilm", "mode": "frozen"},
    "rows": 3,
    "distinct_rows": 2,
    "kept_round": 1,
    "rounds": [{"round": 1}],
    "baselines": {},
    "final": {"llm_student_agreement": 0.5, "label_counts": {"good": 1, "bad": 1}},
    "cost": {"usd": 0.1, "calls": 2},
}


def _ended(state, **fields):
    return dataclasses.replace(JOB, state=state, **fields)


def test_on_a_terminal_a_bar_shows_the_whole_job():
    """Its round of how many, its stage, what is left in all, its money; and it is gone when the job is over."""
    stream = io.StringIO()
    view = TerminalView(Console(file=stream, force_terminal=True, width=140), seconds=lambda: 5.0)
    view.started(JOB, cap_usd=2.5)
    view.event(JOB, Progress("annotating", 2, 30, 60, rounds=3, overall=0.4, remaining_seconds=300.0))
    view.event(JOB, Spend(0.25, 1, 1, 0, 1))
    view.standing(running=1, waiting=2)
    view.refresh()
    view.finished(_ended(State.DONE))
    view.close()
    parts = ("round 2 of 3, annotating", "30/60 rows", "5 min left", "$0.2500 of $2.50", "1 running, 2 files wait.")
    assert () == tuple(part for part in parts if part not in stream.getvalue())


def test_a_csv_being_labelled_has_a_line_of_its_own():
    """It comes with its first chunk and goes when it is over."""
    stream = io.StringIO()
    prediction = Prediction(id="p-1", model="m", csv_name="x.csv", created_at=1.0, updated_at=1.0)
    view = TerminalView(Console(file=stream, force_terminal=True, width=120))
    view.predicting(prediction, done=3, total=9)
    view.refresh()
    shown = stream.getvalue()
    view.predicted(prediction)
    stream.truncate(0)
    view.refresh()
    view.close()
    assert all(part in shown for part in ("labelling x.csv", "3/9"))
    assert "labelling" not in stream.getvalue()


def test_elsewhere_a_stage_is_one_line_however_many_steps_it_has():
    """A log of a million rows stays short."""
    view = LogView()
    with capture_logs() as lines:
        for done in range(1000):
            view.event(JOB, Progress("annotating", 1, done, 1000))
        view.event(JOB, Progress("training", 1, 0, 10))
        view.event(JOB, RoundFinished(1, {"clean": 3, "nested": {"not": "shown"}}))
        view.event(JOB, Notice("be told"))
    assert ["stage", "stage", "a round is finished", "be told"] == [line["event"] for line in lines]
    assert "nested" not in lines[2]


def test_a_batch_is_shown_while_it_is_waited_for():
    """A bar on a terminal; elsewhere a line when it begins and one when it ends, not one per look."""
    stream = io.StringIO()
    terminal, log = TerminalView(Console(file=stream, force_terminal=True, width=120)), LogView()
    terminal.started(JOB)
    with capture_logs() as lines:
        for answered in (0, 0, 0, 5000):
            terminal.event(JOB, BatchProgress("msgbatch_1", answered, 5000))
            log.event(JOB, BatchProgress("msgbatch_1", answered, 5000))
    terminal.refresh()
    terminal.close()
    assert all(part in stream.getvalue() for part in ("waiting for a batch", "5000/5000"))
    assert [("a batch", 0), ("a batch", 5000)] == [(line["event"], line["answered"]) for line in lines]


@pytest.mark.parametrize(
    ("job", "text"),
    [
        (_ended(State.DONE, usd=0.5), "done, $0.5000"),
        (_ended(State.DONE, partial=True), "stopped at its budget"),
        (_ended(State.DONE, reason="the same as m-0"), "done: the same as m-0"),
        (_ended(State.FAILED, error={"problem": "unknown key"}), "failed: unknown key"),
        (_ended(State.PAUSED, reason="no money"), "paused: no money"),
        (_ended(State.CLAIMED), "claimed"),
    ],
)
def test_the_closing_table_says_how_each_job_ended_and_where_to_look(settings, job, text):
    """The whole id and the whole folder, however narrow the terminal."""
    stream = io.StringIO()
    prediction = Prediction(id="p-1", model="m", csv_name="x.csv", state="done", rows=7, created_at=1.0, updated_at=1.0)
    report = Report(0, (job,), (prediction,), (Waiting("b.csv", "no spec"),))
    show_once_summary(report, settings, Console(file=stream, width=300))
    shown = stream.getvalue()
    assert all(part in shown for part in ("m-1", text, "7 rows labelled", "predictions", "waits: b.csv: no spec"))


def test_a_failure_is_told_whole_with_file_line_and_column(settings):
    """What is wrong alone ("is required") helps nobody: where it is and what to do stand beside it."""
    stream = io.StringIO()
    where = {"file": "/x/a.yaml", "line": 3, "key": "labels"}
    job = _ended(State.FAILED, error={"problem": "is required", "where": where, "hint": "name at least two labels"})
    show_once_summary(Report(1, (job,), (), ()), settings, Console(file=stream, width=80))
    told = "m-1: failed: /x/a.yaml, line 3, key 'labels': is required (name at least two labels)"
    assert told == stream.getvalue().splitlines()[0]


def test_labels_that_should_be_looked_at_are_named(settings):
    """A table unlike the training data is told of at the end, not in the log alone."""
    stream = io.StringIO()
    fields = {"model": "m", "csv_name": "x.csv", "created_at": 1.0, "updated_at": 1.0}
    labelled = Prediction(id="p-1", state="done", rows=9, warnings="these texts look different", **fields)
    show_once_summary(Report(0, (), (labelled,), ()), settings, Console(file=stream, width=80))
    assert "    look at them: these texts look different" in stream.getvalue().splitlines()


def test_the_figures_of_a_training_follow_the_table(settings):
    """Those of the version this job made; a version that cannot be read is passed over."""
    job = _ended(State.DONE)
    version = Shelf(settings.models, "m").version("m-1")
    version.mkdir(parents=True)
    for content in (json.dumps(METRICS), "{"):
        (version / "metrics.json").write_text(content)
        stream = io.StringIO()
        show_once_summary(Report(0, (job, _ended(State.FAILED)), (), ()), settings, Console(file=stream, width=80))
        assert (content != "{") == ("unknown: no label_column" in stream.getvalue())


def test_an_empty_run_says_where_to_drop(settings):
    """The first thing a new user sees."""
    stream = io.StringIO()
    show_once_summary(Report(0, (), (), ()), settings, Console(file=stream, width=300))
    assert f"drop a CSV and its spec in {settings.inbox}" in stream.getvalue()
