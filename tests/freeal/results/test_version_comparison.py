"""Two versions side by side (freeal/results/version_comparison.py, freeal/cli/show_and_compare_commands.py)."""

from __future__ import annotations

import csv
import json
import shutil

import pytest

from freeal.cli.command_line import main
from freeal.errors import CorruptModelError
from freeal.results import version_comparison

OURS = ("label", "confidence", "source", "llm_label", "student_label", "round", "clean", "status")


def _metrics(job, **final):
    kept = {"round": 1, "student_accuracy": 0.75} if "accuracy" in final else {"round": 1}
    return {
        "job": job, "rows": 4, "kept_round": 1, "rounds": [kept], "baselines": {},
        "llm": {"provider": "local", "model": "m"}, "student": {"model": "s", "mode": "frozen"}, "final": final,
    }  # fmt: skip


def _write(folder, labels, metrics, spec):
    (folder / "model").mkdir(parents=True)
    card = {"schema_version": 1, "labels": ["a", "b"], "base_model": "b", "mode": "frozen", "max_length": 8}
    card |= {"temperature": 1.0, "extra": {"text_columns": ["text"]}}
    (folder / "model" / "freeal.json").write_text(json.dumps(card))
    (folder / "metrics.json").write_text(json.dumps(metrics))
    record = {"spec": spec, "settings": {"loop": {"shots": 8}}, "input": {}, "finished": folder.name}
    (folder / "run.json").write_text(json.dumps(record))
    with (folder / "annotated.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", *(f"freeal_{name}" for name in OURS)])
        for number, label in enumerate(labels):
            writer.writerow([f"text {number}", label, 0.5, "llm", label, label, 1, 0.5, "ok"])


@pytest.fixture
def model(tmp_path):
    """Three versions; the last has truth and another meaning, and moved two rows."""
    folder = tmp_path / "models" / "m"
    spec = {"name": "m", "description": "?", "labels": {"a": "", "b": "old"}, "text_columns": ["text"], "force": True}
    counts = {"a": 3, "b": 1}
    _write(folder / "versions" / "m-1", "abab", _metrics("m-1", label_counts={"a": 2, "b": 2}), spec)
    _write(folder / "versions" / "m-2", "aaab", _metrics("m-2", label_counts=counts), spec)
    known = {"accuracy": 0.5, "accuracy_interval": [0.1, 0.9], "evaluated_rows": 4, "macro_f1": 0.4}
    changed = {**spec, "labels": {"a": "", "b": "new"}, "force": False}
    _write(folder / "versions" / "m-3", "bab", _metrics("m-3", label_counts={"a": 1, "b": 2}, **known), changed)
    (folder / "model").symlink_to("versions/m-3/model")
    return folder


def test_only_what_was_measured_is_shown_and_only_settings_that_differ(model):
    """A figure of one version alone stands beside nothing; keys that change no result are left out."""
    found = version_comparison.compare_versions(model / "versions" / "m-2", model / "versions" / "m-3")
    measured = {what: (one, str(other)) for what, one, other in found.measured}
    assert {
        "final labels": (None, "50.0 % (10.0 to 90.0), 4 rows"),
        "student": (None, "75.0 %"),
        "final labels, macro F1": (None, "40.0 %"),
    } == measured
    assert (("labels.b", "old", "new"),) == found.settings
    assert (("a", 3, 1), ("b", 1, 2)) == found.shares
    plain = version_comparison.compare_versions(model / "versions" / "m-1", model / "versions" / "m-2")
    assert ((), ()) == (plain.measured, plain.settings)


def test_a_withdrawn_certificate_measures_nothing(model):
    """One that holds does, with its interval."""
    path = model / "versions" / "m-2" / "metrics.json"
    metrics = json.loads(path.read_text())
    one = {"accuracy": 0.9, "interval": [0.8, 0.95], "looked_at": 100}
    path.write_text(json.dumps({**metrics, "certified": {"labels": one}}))
    found = version_comparison.compare_versions(path.parent, path.parent)
    assert "90.0 % (80.0 to 95.0), 100 rows" == str(found.measured[0][1])
    path.write_text(json.dumps({**metrics, "certified": {"labels": one, "withdrawn": {"texts": 1}}}))
    assert () == version_comparison.compare_versions(path.parent, path.parent).measured
    path.write_text("{}")
    with pytest.raises(CorruptModelError, match="make no sense"):
        version_comparison.compare_versions(path.parent, path.parent)


def test_the_command_says_which_rows_moved(model, capsys):
    """By default of the current version against the one before it; any two by name; JSON for programs."""
    assert 0 == main(["compare", str(model)])
    shown = capsys.readouterr().out
    for said in ("before  m-2", "after   m-3", "- old", "+ new", "2 of 3 rows", "2  a → b"):
        assert said in shown, said
    assert 0 == main(["compare", str(model), "m-1", "m-3", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert {"rows": 3, "compared": 3} == {key: found["moved"][key] for key in ("rows", "compared")}
    assert [
        {"before": "a", "after": "b", "rows": 2},
        {"before": "b", "after": "a", "rows": 1},
    ] == found["moved"]["pairs"]
    assert ("m-1", "m-3", 0.5) == (found["before"], found["after"], found["measured"]["final labels"]["after"]["value"])


def test_what_is_no_version_is_named_with_what_there_is(model, capsys):
    """A near name is guessed; a model with one version has nothing to compare."""
    assert 78 == main(["compare", str(model), "m-22"])
    assert "did you mean 'm-2'?" in capsys.readouterr().err
    assert 78 == main(["compare", str(model), "m-1", "m-2", "m-3"])
    for name in ("m-1", "m-2"):
        shutil.rmtree(model / "versions" / name)
    assert 78 == main(["compare", str(model)])
    assert "no version before the current one" in capsys.readouterr().err


def test_a_folder_that_is_no_model_is_told_so(tmp_path, capsys):
    """Not that it has no version before its current one: it has none at all."""
    assert 0 != main(["compare", str(tmp_path / "nowhere")])
    assert "is no finished model" in capsys.readouterr().err
