"""`kind: multi`: several labels for a text, from the spec through prompts, student and figures to every file."""

from __future__ import annotations

import csv
import itertools
import json

import anyio
import pytest

from freeal.files import model_folders
from freeal.job.run_training_job import train
from freeal.job.training_job import TrainingJob
from freeal.spec.job_spec import Spec
from freeal.student.model_folder import student_metadata
from freeal.testing.server import MessagesServer
from freeal.text import joined_labels

WORDS = {"billing": "invoice refund price", "technical": "broken crash error", "a;b": "parcel courier delivery"}
LABELS = tuple(WORDS)


def spec_of(encoder_folder, **more):
    told = {
        "name": "t",
        "description": "What is the mail about?",
        "labels": list(LABELS),
        "kind": "multi",
        "llm": {"provider": "anthropic"},
        "student": {"model": str(encoder_folder)},
        "iterations": 1,
    }
    return Spec(**{**told, **more})


def texts_of(count):
    """Texts with their labels: every combination of the three labels, none among them, in turn."""
    combinations = [set(c) for size in range(4) for c in itertools.combinations(LABELS, size)]
    found = []
    for number in range(count):
        own = combinations[number % len(combinations)]
        words = [WORDS[name].split()[number % 3] for name in LABELS if name in own] or ["hello"]
        found.append((f"mail {number} {' '.join(words)}", joined_labels.in_order(own, LABELS)))
    return found


def job_of(folder, spec, server, **more):
    return TrainingJob(
        job_id="j", csv=folder / "in.csv", spec=spec, output=folder / "out", work=folder / "work",
        answers=folder / "answers.sqlite", cache=folder, key_folder=folder, llm={"base_url": server.base_url}, **more,
    )  # fmt: skip


def written(path, rows, header=("text", "tags")):
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])


def read_rows(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def trained(tmp_path, encoder_folder):
    """A job on 80 texts whose annotator forgets a label in every ninth; gives its folder and the requests."""
    rows = texts_of(80)
    truth = dict(rows)
    written(tmp_path / "in.csv", rows)

    def answer(text):
        names = joined_labels.split(truth.get(text, joined_labels.NONE))
        return joined_labels.joined(names[1:] if text.split()[1:2] and int(text.split()[1]) % 9 == 0 else names)

    with MessagesServer(answer=answer) as server:
        job = job_of(tmp_path, spec_of(encoder_folder, label_column="tags"), server)
        anyio.run(lambda: train(job, api_key="sk-ant-test", environ={}))
        return job.output, list(server.requests)


def test_every_row_has_its_labels_and_a_probability_of_each(trained):
    """`freeal_labels` holds the joined labels, separators in names escaped; the confidence is the product of the
    probabilities, each label's own beside it."""
    folder, _ = trained
    rows = read_rows(folder / "annotated.csv")
    assert "freeal_label" not in rows[0]
    for row in rows:
        own = joined_labels.split(row["freeal_labels"])
        expected = 1.0
        for name in LABELS:
            share = float(row[f"freeal_p_{name}"])
            assert (name in own) == (share >= 0.5)
            expected *= share if name in own else 1.0 - share
        assert pytest.approx(expected, abs=2e-3) == float(row["freeal_confidence"])
    said = {row["freeal_llm_label"] for row in rows}
    assert {"billing;technical;a\\;b", "(none)", "a\\;b"} <= said


def test_the_figures_count_each_label_and_all_together(trained):
    """metrics.json has F1 over pairs and labels, the share of rows all right, and how many labels a row has, as they
    follow from annotated.csv."""
    folder, _ = trained
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    rows = read_rows(folder / "annotated.csv")
    pairs = [(set(joined_labels.split(r["tags"])), set(joined_labels.split(r["freeal_labels"]))) for r in rows]
    hits = sum(len(a & b) for a, b in pairs)
    found = metrics["final"]["several_labels"]["final"]
    assert pytest.approx(2 * hits / sum(len(a) + len(b) for a, b in pairs), abs=1e-4) == found["micro_f1"]
    assert pytest.approx(sum(a == b for a, b in pairs) / len(pairs), abs=1e-4) == found["subset_accuracy"]
    assert found["subset_accuracy"] == metrics["final"]["accuracy"]
    assert pytest.approx(sum(len(b) for _, b in pairs) / len(pairs), abs=1e-4) == found["labels_per_row"]
    counts = {name: sum(name in b for _, b in pairs) for name in LABELS}
    assert counts == metrics["final"]["label_counts"]
    assert set(LABELS) == set(metrics["rounds"][0]["thresholds"])


def test_a_model_is_asked_once_per_text_for_all_that_applies(trained):
    """One request per text, held to a list of the labels; the texts it writes first are of each label, of pairs and
    of none."""
    _, requests = trained
    schemas = [one.body["output_config"]["format"]["schema"]["properties"] for one in requests]
    asked = [one for one in schemas if "labels" in one]
    assert all(list(LABELS) == one["labels"]["items"]["enum"] for one in asked)
    writing = [one for one, schema in zip(requests, schemas, strict=True) if "texts" in schema]
    said = [json.dumps(one.body["messages"]) for one in writing]
    assert any("none of the labels applies" in one for one in said)
    assert any('\\"billing\\" and \\"technical\\"' in one.replace("\\\\", "\\") for one in said)


def test_the_student_loads_in_a_plain_pipeline(trained):
    """transformers gives each label its own probability with `top_k=None`: those of our own classifier."""
    from transformers import pipeline

    from freeal.settings import StudentSettings
    from freeal.student.model_folder import load_student

    folder = model_folders.classifier_folder(trained[0])
    card = student_metadata.read_card(folder)
    assert (3, "multi") == (card.schema_version, card.extra["kind"])
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert "multi_label_classification" == config["problem_type"]
    text = "mail 3 refund courier"
    found = pipeline("text-classification", model=str(folder))([text], top_k=None)[0]
    exact = StudentSettings(device="cpu", precision="fp32")  # as the pipeline computes, on any processor
    own = load_student.load(folder, settings=exact).predict_proba([text])[0]
    for name, share in zip(card.labels, own.tolist(), strict=True):
        assert pytest.approx(share, abs=1e-4) == next(one["score"] for one in found if one["label"] == name)


def test_a_column_per_label_is_the_same_truth(tmp_path, encoder_folder):
    """`label_columns` of 1 and 0 measures as a cell of joined labels does; a row of blanks is not known."""
    from freeal.preflight import preflight_check

    rows = texts_of(24)
    cells = [[text, *("1" if name in joined_labels.split(own) else "0" for name in LABELS)] for text, own in rows]
    written(tmp_path / "in.csv", [*cells, ["one more", "", "", ""]], header=("text", "b", "t", "p"))
    spec = spec_of(encoder_folder, label_columns=dict(zip(LABELS, "btp", strict=True)))
    checked = preflight_check.read(tmp_path / "in.csv", spec)
    assert (("text",), (*(own for _, own in rows), None)) == (checked.pool.text_columns, checked.pool.truth)


def test_predictions_apply_the_thresholds(trained, tmp_path):
    """A label is given from its threshold on, in files and to programs; the summary counts each label."""
    from freeal.prediction.predict_csv import predict_csv
    from freeal.prediction.predict_rows import predict_rows
    from freeal.prediction.prediction_job import PredictionJob
    from freeal.prediction.published_model import Classifier

    classifier = Classifier.load(trained[0])
    least = dict(zip(LABELS, classifier.thresholds, strict=True))
    job = PredictionJob(input_csv=tmp_path / "in.csv", output_csv=tmp_path / "new.csv", model=trained[0] / "model")
    summary = predict_csv(job)
    rows = read_rows(tmp_path / "new.csv")
    for row in rows:
        own = joined_labels.split(row["freeal_labels"])
        shares = {name: float(row[f"freeal_p_{name}"]) for name in LABELS}
        assert {name for name in LABELS if shares[name] >= least[name] + 1e-4} <= set(own)
        assert set(own) <= {name for name in LABELS if shares[name] >= least[name] - 1e-4}
    counts = {name: sum(name in joined_labels.split(row["freeal_labels"]) for row in rows) for name in LABELS}
    assert counts == summary["label_counts"]
    [one] = predict_rows(classifier, [{"text": rows[7]["text"]}])
    assert (rows[7]["freeal_labels"], one.label) == (one.label, joined_labels.joined(one.labels))


def test_what_is_made_for_one_label_is_refused(trained, tmp_path, encoder_folder):
    """Blind sheets, promises, boundaries, and settings that cannot hold: each says why, before anything is asked."""
    from freeal.errors import ConfigError
    from freeal.job.new_version import boundary_job, certification_job

    with pytest.raises(ConfigError, match="certify is for texts of one label"):
        certification_job.draw_sheet(trained[0])
    with pytest.raises(ConfigError, match="boundaries is for texts of one label"):
        boundary_job.write_boundary_questions(trained[0])
    with MessagesServer(answer=lambda _: "(none)") as server:
        for more, said in (
            ({"loop": {"candidates": "resolve"}}, "resolve is for texts of one label"),
            ({"student": {"mode": "finetune"}}, "finetune is for texts of one label"),
        ):
            job = job_of(tmp_path, spec_of(encoder_folder), server, **more)
            with pytest.raises(ConfigError, match=said):
                anyio.run(train, job)
        assert not server.requests
