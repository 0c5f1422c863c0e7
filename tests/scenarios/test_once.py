"""`python -m daemon --once`, from the dropped file to the result."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

SAMPLE = Path(__file__).resolve().parents[2] / "inbox" / "samples" / "reviews.csv"


def _table(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_from_drop_to_model_to_prediction(daemon, server):
    """A pair becomes an annotated CSV and a model; a CSV dropped later is labelled by it; nothing is asked twice."""
    daemon.drop()
    done = daemon.run("--once")
    assert 0 == done.returncode, done.stderr

    shelf = daemon.models / "reviews"
    annotated = _table(shelf / "annotated" / "reviews.csv")
    assert [row["id"] for row in annotated] == [str(number) for number in range(24)]
    assert {"positive", "negative"} == {row["freeal_label"] for row in annotated}
    version = {path.name for path in daemon.only("models", "reviews", "versions").iterdir()}
    assert {"model", "annotated.csv", "metrics.json", "cost.json", "run.json", "audit.jsonl"} <= version
    assert {"config.json", "model.safetensors"} <= {path.name for path in (shelf / "model").iterdir()}
    assert {"reviews.csv", "reviews.yaml"} == {path.name for path in daemon.only("inbox", "done").iterdir()}
    assert "models/reviews" in done.stdout
    asked = len(server.requests)
    assert asked > 0

    daemon.drop()
    again = daemon.run("--once")
    assert (0, asked) == (again.returncode, len(server.requests)), again.stderr
    assert "already done as" in " ".join(again.stdout.split())

    (shelf / "predict" / "june.csv").write_text(daemon.rows(6, start=100))
    later = daemon.run("--once")
    assert (0, asked) == (later.returncode, len(server.requests)), later.stderr
    labelled = _table(shelf / "predictions" / "june.csv")
    assert [row["text"] for row in labelled] == [
        row.split(",")[1] for row in daemon.rows(6, start=100).splitlines()[1:]
    ]
    assert {"freeal_label", "freeal_confidence", "freeal_p_positive", "freeal_p_negative"} <= set(labelled[0])
    facts = json.loads((shelf / "predictions" / "june.json").read_text())
    assert (6, daemon.only("models", "reviews", "versions").name) == (facts["rows"], facts["model_version"])
    assert "june.csv" == next(daemon.only("models", "reviews", "done").iterdir()).name
    assert [] == list((shelf / "predict").iterdir())


@pytest.mark.slow
def test_the_embedded_models_do_the_whole_job(daemon, server):
    """With the packaged language model and the packaged encoder: every row labelled, nothing sent, a model to keep."""
    lines = SAMPLE.read_text(encoding="utf-8").splitlines()
    header, rows = lines[0], [line for line in lines[1:] if line.count('"') % 2 == 0][:60]
    overrides = "llm: {provider: local}\nstudent: {model: minilm, epochs: 2}\n"
    spec = SAMPLE.with_suffix(".yaml").read_text(encoding="utf-8") + overrides
    daemon.drop(csv="\n".join([header, *rows]) + "\n", spec=spec)
    done = daemon.run("--once")
    assert 0 == done.returncode, done.stderr
    assert [] == server.requests
    annotated = _table(daemon.models / "reviews" / "annotated" / "reviews.csv")
    assert len(rows) == len(annotated)
    assert {"positive", "negative"} >= {row["freeal_label"] for row in annotated}
    metrics = json.loads((daemon.models / "reviews" / "metrics.json").read_text())
    assert ("local", "minilm") == (metrics["llm"]["provider"], metrics["student"]["model"])
    assert metrics["baselines"]["llm_zero_shot"] > 0.5
    assert metrics["final"]["accuracy"] > 0.5


@pytest.mark.slow
def test_a_misspelt_key_fails_its_pair_and_no_other(daemon):
    """The report names file, line, key and the nearest known key; the good job is done; exit 1."""
    daemon.drop("bad", spec=daemon.spec.replace("label_column", "lable_column"))
    daemon.drop("good")
    assert 1 == daemon.run("--once").returncode
    failed = daemon.only("inbox", "failed")
    assert {"bad.csv", "bad.yaml", "error.json", "ERROR.txt"} == {path.name for path in failed.iterdir()}
    prose = (failed / "ERROR.txt").read_text()
    assert f"{failed}/bad.yaml, line 4, key 'lable_column'" in prose
    assert "did you mean 'label_column'?" in prose
    assert (daemon.models / "good" / "annotated" / "good.csv").is_file()


def test_a_csv_without_its_text_column_names_the_nearest(daemon, server):
    """Nothing is asked; the report says which column was meant."""
    daemon.drop(csv=daemon.rows().replace("id,text,truth", "id,texts,truth"))
    assert 1 == daemon.run("--once").returncode
    report = json.loads((daemon.only("inbox", "failed") / "error.json").read_text())
    assert ("InputError", "text", 1) == (report["kind"], report["where"]["column"], report["where"]["line"])
    assert "'texts'" in report["hint"]
    assert report["where"]["file"].endswith("/reviews.csv")
    assert [] == server.requests


def test_a_dry_run_counts_and_touches_nothing(daemon, server):
    """Rows and distinct texts, no call, no file moved."""
    daemon.drop(csv=daemon.rows() + "99,a good thing number 1,positive\n")
    done = daemon.run("--dry-run")
    assert 0 == done.returncode, done.stderr
    assert {"25", "24"} <= set(done.stdout.replace("│", " ").split())
    assert ([], ["reviews.csv", "reviews.yaml"]) == (
        server.requests,
        sorted(path.name for path in daemon.inbox.iterdir()),
    )


def test_check_says_what_is_in_force_and_from_where(daemon):
    """Settings with their sources, then one line per thing that must be in place; no key is shown."""
    done = daemon.run("check")
    assert 0 == done.returncode, done.stdout + done.stderr
    assert "watch.stability_seconds = 0.2  [freeal.yaml:1]" in done.stdout
    assert "jobs.parallel = 2  [default]" in done.stdout
    assert {"inbox", "models", "state", "disk", "language model", "student", "GPU"} == {
        line[9:].split(":")[0] for line in done.stdout.split("\n\n")[1].splitlines()
    }
    assert "sk-ant-test" not in done.stdout + done.stderr


def test_a_mistake_in_the_settings_is_exit_78(daemon):
    """Nothing is started; the message names the key."""
    (daemon.folder / "freeal.yaml").write_text("watch: {stability_second: 1}\n")
    done = daemon.run("--once")
    assert 78 == done.returncode
    assert "did you mean 'stability_seconds'?" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_command_does_not_take_the_options_of_a_run(daemon):
    """`--once status` would otherwise look as if it had run."""
    done = daemon.run("--once", "status")
    assert (2, True) == (done.returncode, "do not go with" in done.stderr)


def test_a_budget_too_small_for_a_single_call_is_exit_3(daemon, server):
    """The report names the key and what a call could cost; nothing was asked."""
    daemon.drop(spec=daemon.spec + "budget_usd: 0.000001\n")
    done = daemon.run("--once")
    assert (3, []) == (done.returncode, server.requests), done.stderr
    report = json.loads((daemon.only("inbox", "failed") / "error.json").read_text())
    assert ("BudgetReachedError", "budget_usd") == (report["kind"], report["where"]["key"])
    assert all(line.startswith("{") for line in done.stderr.splitlines()), "every line of the log is JSON"


def test_a_model_folder_that_cannot_be_written_is_found_before_anything_is_paid(daemon, server):
    """The report names the folder, and the pair lies in failed/."""
    daemon.models.mkdir()
    (daemon.models / "reviews").write_text("in the way")
    daemon.drop()
    assert (1, []) == (daemon.run("--once").returncode, server.requests)
    report = json.loads((daemon.only("inbox", "failed") / "error.json").read_text())
    assert ("NotADirectoryError", str(daemon.models / "reviews")) == (report["kind"], report["where"]["file"])
