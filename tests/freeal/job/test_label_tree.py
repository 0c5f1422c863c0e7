"""`kind: tree`: from the spec through prompt, partial answers, nodes and figures to predictions."""

from __future__ import annotations

import contextlib
import csv
import json
import sqlite3

import anyio
import pytest

from freeal.evaluation.tree_metrics import tree_metrics
from freeal.files import model_folders
from freeal.job.run_training_job import train
from freeal.job.training_job import TrainingJob
from freeal.prediction.predict_csv import predict_csv
from freeal.prediction.predict_rows import predict_rows
from freeal.prediction.prediction_job import PredictionJob
from freeal.prediction.published_model import Classifier
from freeal.results import previous_version
from freeal.row_index import build_index
from freeal.spec.job_spec import Spec
from freeal.student.model_folder import student_metadata
from freeal.testing.server import MessagesServer

TREE = {"billing": {"refund": "money back", "late": ""}, "technical": {"login": "", "crash": ""}, "praise": ""}
LEAVES = ("billing / refund", "billing / late", "technical / login", "technical / crash", "praise")
WORDS = ("refund", "overdue", "password", "crashes", "wonderful")


def _spec(**more):
    content = {"name": "t", "description": "What is it about?", "labels": TREE, "kind": "tree"}
    return Spec.from_dict(content | {"llm": {"provider": "anthropic"}} | more)


def _truth(number):
    """Every eighth row knows its branch only."""
    leaf = LEAVES[number % 5]
    return leaf.split(" / ")[0] if number % 8 == 0 else leaf


def _answer(text):
    """A leaf by its name alone, a branch for every ninth text, the next leaf for every seventh."""
    _, word, _, number = text.split()
    at = WORDS.index(word)
    if int(number) % 9 == 0:
        return LEAVES[at].split(" / ")[0]
    at = (at + 1) % 5 if int(number) % 7 == 0 else at
    return LEAVES[at].split(" / ")[-1]


def _run(folder, spec, answer=_answer, rows=60):
    texts = [(f"the {WORDS[number % 5]} message {number}", _truth(number)) for number in range(rows)]
    with (folder / "in.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([["text", "truth"], *texts])
    with MessagesServer(answer=answer) as server:
        job = TrainingJob(
            job_id="j", csv=folder / "in.csv", spec=spec, output=folder / "out", work=folder / "work",
            answers=folder / "answers.sqlite", cache=folder, key_folder=folder, llm={"base_url": server.base_url},
        )  # fmt: skip
        anyio.run(lambda: train(job, api_key="sk-ant-test", environ={}))
        requests = server.requests
    return job.output, requests


@pytest.fixture(scope="module")
def trained(tmp_path_factory, encoder_folder):
    """A finished job on 60 texts; gives its folder and the requests."""
    folder = tmp_path_factory.mktemp("tree")
    spec = _spec(iterations=2, label_column="truth", student={"model": str(encoder_folder), "mode": "frozen"})
    return _run(folder, spec)


def _rows(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_model_is_asked_with_the_tree_and_may_stop_at_a_branch(trained):
    """The prompt shows the tree indented, and the schema takes a label or a branch above labels."""
    folder, requests = trained
    prompt = json.loads((folder / "run.json").read_text(encoding="utf-8"))["first_prompt"]
    assert "- billing\n  - refund: money back\n  - late\n- technical\n" in prompt
    assert "such as billing / refund" in prompt
    schema = requests[-1].body["output_config"]["format"]["schema"]
    assert [*LEAVES, "billing", "technical"] == schema["properties"]["label"]["enum"]


def test_a_partial_answer_is_an_answer(trained):
    """A branch stands as what the language model said, is no failure, and the label lies below it."""
    folder, _ = trained
    rows = _rows(folder / "annotated.csv")
    partial = [row for number, row in enumerate(rows) if number % 9 == 0 and number % 5 != 4]
    assert {"billing", "technical"} == {row["freeal_llm_label"] for row in partial}
    for row in partial:
        assert row["freeal_label"].startswith(row["freeal_llm_label"] + " / ")
        assert "ok" == row["freeal_status"]
        assert "student" == row["freeal_source"]


def test_every_row_has_a_node_on_the_way_to_what_is_likeliest(trained):
    """`freeal_node` is a node of the tree; a label where its probability reaches 0.5, and then the same one."""
    folder, _ = trained
    for row in _rows(folder / "annotated.csv"):
        assert row["freeal_label"] in LEAVES
        assert any(leaf == row["freeal_node"] or leaf.startswith(row["freeal_node"] + " / ") for leaf in LEAVES)
        if float(row["freeal_confidence"]) > 0.5:
            assert row["freeal_label"] == row["freeal_node"]
            assert row["freeal_confidence"] == row["freeal_node_confidence"]


def test_the_figures_count_along_the_tree(trained):
    """metrics.json holds what the columns of annotated.csv give, partial truths among them."""
    folder, _ = trained
    rows = _rows(folder / "annotated.csv")
    final = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["final"]
    tree = final["tree"]
    truth = [row["truth"] for row in rows]
    columns = {
        "final": "freeal_label",
        "node": "freeal_node",
        "llm": "freeal_llm_label",
        "student": "freeal_student_label",
    }
    for who, column in columns.items():
        assert tree_metrics(truth, [row[column] for row in rows], LEAVES) == tree[who]
    assert len(rows) == tree["evaluated_rows"]
    assert sum(row["truth"] in LEAVES for row in rows) == final["evaluated_rows"]
    backed_off = sum(row["freeal_node"] not in LEAVES for row in rows) / len(rows)
    assert pytest.approx(backed_off, abs=1e-4) == tree["backed_off"]
    assert 0.5 == tree["back_off"]


def test_predictions_need_the_model_folder_alone(trained, tmp_path):
    """The tree's threshold stands in the model's card; the probabilities of a node are the sum of those below it."""
    folder, _ = trained
    model = model_folders.classifier_folder(folder)
    assert ("tree", 0.5) == tuple(student_metadata.read_card(model).extra[key] for key in ("kind", "back_off"))
    predict_csv(PredictionJob(input_csv=folder.parent / "in.csv", output_csv=tmp_path / "new.csv", model=model))
    rows = _rows(tmp_path / "new.csv")
    ours = list(rows[0])[2:]
    nodes = ["freeal_node", "freeal_node_confidence"]
    assert ["freeal_label", "freeal_confidence", *nodes, *(f"freeal_p_{leaf}" for leaf in LEAVES)] == ours
    for row in rows:
        below = [leaf for leaf in LEAVES if f"{leaf} / ".startswith(f"{row['freeal_node']} / ")]
        total = sum(float(row[f"freeal_p_{leaf}"]) for leaf in below)
        assert pytest.approx(total, abs=3e-4) == float(row["freeal_node_confidence"])
    found = predict_rows(Classifier.load(model), [{"text": row["text"]} for row in rows] + [{"text": ""}])
    assert [row["freeal_node"] for row in rows] + [None] == [one.as_dict()["node"] for one in found]


def test_a_version_can_be_gone_on_from(trained):
    """What a later version reads of this one has nodes and partial answers in it."""
    folder, _ = trained
    earlier = previous_version.read_version(folder)
    rows = _rows(folder / "annotated.csv")
    assert [row["freeal_node"] for row in rows] == [one.node for one in earlier.decisions]
    assert {"billing", "technical", None} == {one.branch for one in earlier.annotations}
    assert all(one.llm_label in (*LEAVES, None) for one in earlier.decisions)


def test_the_rows_can_be_looked_through(trained, tmp_path):
    """The index of rows finds our columns although two more stand behind them."""
    folder, _ = trained
    build_index.build_row_index(folder, tmp_path / "rows.sqlite")
    with contextlib.closing(sqlite3.connect(tmp_path / "rows.sqlite")) as database:
        found = database.execute("SELECT label, llm, student FROM rows ORDER BY number").fetchall()
    names = ("freeal_label", "freeal_llm_label", "freeal_student_label")
    assert [tuple(row[name] for name in names) for row in _rows(folder / "annotated.csv")] == found


def test_a_spec_without_a_tree_keeps_its_key():
    """What was one label stays as it is: neither key nor dump of a spec has anything of a tree in it."""
    flat = Spec(name="t", description="d", labels=["a", "b"])
    assert "back_off" not in flat.model_dump(mode="json")
    assert _spec().digest() == _spec(back_off=0.5).digest() != _spec(back_off=0.7).digest()
