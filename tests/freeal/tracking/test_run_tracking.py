"""A run told to trackers: parameters, each round, figures and files, and how it ended."""

from __future__ import annotations

import json

import pytest

import freeal
from freeal.errors import ConfigError, TrainingError
from freeal.testing.scripted_model import ScriptedModel, text_of
from freeal.testing.tiny_student import TinyTrainer
from freeal.tracking import run_tracking

TEXTS = [f"a {'good' if row % 2 else 'bad'} thing, number {row}" for row in range(12)]
SPEC = {
    "name": "things",
    "description": "my own words",
    "labels": {"yes": "my own words again", "no": ""},
    "iterations": 2,
}


class Notes:
    """A tracker that writes down what it hears."""

    def __init__(self):
        self.heard = []

    def begin(self, name, params):
        """As in the protocol."""
        self.heard.append(("begin", name, dict(params)))

    def log_round(self, number, metrics):
        """As in the protocol."""
        self.heard.append(("round", number, dict(metrics)))

    def finish(self, metrics, artifacts):
        """As in the protocol."""
        self.heard.append(("finish", dict(metrics), dict(artifacts)))

    def fail(self, error):
        """As in the protocol."""
        self.heard.append(("fail", type(error).__name__))


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run that is told to the given trackers."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    model = ScriptedModel(lambda prompt: "yes" if "good" in text_of(prompt.specific) else "no")

    def ran(*trackers, llm=model, **given):
        started = freeal.run(
            TEXTS, SPEC, folder=tmp_path / "run", llm=llm, student=TinyTrainer(), trackers=trackers, **given
        )
        return started.wait()

    return ran


def test_a_run_is_told_from_its_parameters_to_its_files(run):
    """Every tracker hears the same: settings by dotted key, each round's numbers, the figures, and where files are."""
    first, second = Notes(), Notes()
    result = run(first, second, loop={"shots": 3})
    assert first.heard == second.heard
    begin, *rounds, finish = first.heard
    assert ("begin", "things") == begin[:2]
    assert ("yes, no", 3, 2) == tuple(begin[2][key] for key in ("spec.labels", "loop.shots", "loop.iterations"))
    assert [report.round for report in result.rounds] == [number for _, number, _ in rounds]
    assert result.rounds[0].agreement == rounds[0][2]["agreement"]
    assert 6.0 == finish[1]["final.label_counts.yes"]
    assert 0.0 == finish[1]["cost.usd"]
    assert {"card", "metrics", "report"} == set(finish[2])
    assert all(path.is_file() for path in finish[2].values())


def test_no_words_of_the_user_and_no_text_of_a_row_are_told(run):
    """Trackers may be servers of somebody else's."""
    notes = Notes()
    run(notes)
    told = json.dumps(notes.heard, default=str)
    assert "my own words" not in told
    assert "number 3" not in told


def test_a_run_that_fails_is_told_as_failed(run):
    """The error goes on to whoever waits."""
    notes = Notes()
    with pytest.raises(TrainingError):
        run(notes, llm=ScriptedModel(lambda prompt: "perhaps"))
    assert ["begin", "fail"] == [what for what, *_ in notes.heard]
    assert ("fail", "TrainingError") == notes.heard[-1]


def test_numbers_are_told_and_nothing_else():
    """Nested figures by dotted key; lists, texts and true or false are none."""
    assert {"a.b": 1.0, "c": 0.5} == run_tracking.numbers_of({"a": {"b": 1, "t": "x"}, "c": 0.5, "d": [1], "e": True})
    assert {"a": "x, y", "b.c": True} == run_tracking.params_of({"a": ["x", "y"], "b": {"c": True, "d": None}, "e": []})


@pytest.mark.filterwarnings("ignore")  # it warns of its own old ways
def test_mlflow_keeps_what_it_was_told(run, tmp_path, monkeypatch):
    """Read back with MLflow itself: parameters, a metric for each round, files, and the end."""
    mlflow = pytest.importorskip("mlflow")
    from freeal.tracking.mlflow_tracker import MlflowTracker

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # databases are the whole mlflow's business
    uri = (tmp_path / "mlruns").as_uri()
    tracker = MlflowTracker("trial", tracking_uri=uri)
    result = run(tracker)
    client = mlflow.MlflowClient(tracking_uri=uri)
    found = client.get_run(tracker.run_id)
    assert ("FINISHED", "things") == (found.info.status, found.info.run_name)
    assert "2" == found.data.params["loop.iterations"]
    history = client.get_metric_history(tracker.run_id, "round.agreement")
    assert [report.agreement for report in result.rounds] == [point.value for point in history]
    assert 6.0 == found.data.metrics["final.label_counts.yes"]
    assert {"card", "metrics", "report"} == {entry.path for entry in client.list_artifacts(tracker.run_id)}


@pytest.mark.filterwarnings("ignore")  # as above
def test_trackio_keeps_what_it_was_told(run, tmp_path, monkeypatch):
    """Read back with Trackio itself: the configuration, and the figures of each round."""
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    trackio = pytest.importorskip("trackio")
    from trackio.sqlite_storage import SQLiteStorage

    from freeal.tracking.trackio_tracker import TrackioTracker

    result = run(TrackioTracker("trial"))
    [kept] = trackio.Api().runs("trial")
    assert "things" == kept.name
    assert 2 == kept.config["loop.iterations"]
    logs = SQLiteStorage.get_logs("trial", "things")
    agreement = [entry["round.agreement"] for entry in logs if "round.agreement" in entry]
    assert [report.agreement for report in result.rounds] == agreement
    assert 6.0 == logs[-1]["final.label_counts.yes"]


@pytest.mark.parametrize(("module", "name"), [("mlflow", "MlflowTracker"), ("trackio", "TrackioTracker")])
def test_a_tracker_that_is_not_installed_says_what_to_install(module, name, monkeypatch):
    """Before a run begins."""
    import importlib
    import sys

    monkeypatch.setitem(sys.modules, module, None)
    tracker = getattr(importlib.import_module(f"freeal.tracking.{module}_tracker"), name)
    with pytest.raises(ConfigError, match=rf"{module} is not installed .*freeal-daemon\[track\]"):
        tracker()


def test_each_tracker_hears_of_the_end_and_the_cause_is_raised(run):
    """One that fails, and fails again when it is told of that, hides neither what ended the run nor the end."""

    class Broken(Notes):
        def log_round(self, *_):
            raise RuntimeError("the cause")

        def fail(self, *_):
            raise RuntimeError("another")

    notes = Notes()
    with pytest.raises(RuntimeError, match="the cause"):
        run(Broken(), notes)
    assert ("fail", "RuntimeError") == notes.heard[-1]
