"""A tree of 210 labels: asked with shortlists, answered, learned and predicted, whichever way a model answers."""

from __future__ import annotations

import csv
import json
import re

import anyio
import pytest

from freeal.files import model_folders
from freeal.job.run_training_job import train
from freeal.job.training_job import TrainingJob
from freeal.prediction.predict_csv import predict_csv
from freeal.prediction.prediction_job import PredictionJob
from freeal.preflight.preflight_check import check
from freeal.selection.label_shortlist import SHORTLIST_LABELS
from freeal.spec.job_spec import Spec
from freeal.table import read_table
from freeal.testing.scripted_model import ScriptedModel, text_of
from freeal.types import Reply

THINGS = ("kettle", "drill", "tent", "novel", "lamp", "shoe", "bicycle", "camera", "violin", "sofa")
MATTERS = (
    "broken", "late", "lost", "noisy", "leaking", "scratched", "missing", "overpriced", "refund", "upgrade", "warranty",
    "manual", "colour", "size", "smell", "battery", "delivery", "repair", "return", "praise", "suggestion",
)  # fmt: skip
LEAVES = tuple(f"{thing} / {matter}" for thing in THINGS for matter in MATTERS)
TEXTS = {
    f"{at} my {leaf.split(' / ')[0]}, about its {leaf.split(' / ')[1]}": leaf for at, leaf in enumerate(LEAVES * 2)
}
_SCORED = re.compile(r"\d+ my \w+, about its \w+(?=[^\n]*\n[^\n]*$)")


def _says(text):
    """The leaf; of every tenth text the branch alone, of every seventh the leaf after it."""
    at, leaf = int(text.split()[0]), TEXTS[text]
    if at % 10 == 0:
        return leaf.split(" / ")[0]
    return LEAVES[(LEAVES.index(leaf) + 1) % len(LEAVES)] if at % 7 == 0 else leaf


def _written(prompt):
    if not prompt.labels:
        return json.dumps({"texts": []})
    return json.dumps({"label": _says(text_of(prompt.specific)), "confidence": 0.9})


def _scored(prompt):
    """What a model that scores gives: the right label more where it is on the list."""
    said = _says(_SCORED.findall(prompt.specific)[-1])
    return Reply(scores=tuple(-1.0 if name == said else -3.0 for name in prompt.labels))


def _rows(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module", params=["chat", pytest.param("completion", marks=pytest.mark.slow)])
def finished(request, tmp_path_factory, encoder_folder):
    """A job on two texts of each leaf; gives its folder, the questions about labels, and the style."""
    folder = tmp_path_factory.mktemp("leaves")
    with (folder / "in.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("text", "truth"), *TEXTS.items()])
    content = {
        "name": "t",
        "description": "What is it about?",
        "kind": "tree",
        "label_column": "truth",
        "iterations": 1,
    }
    content["labels"] = {thing: {matter: f"{thing} is {matter}" for matter in MATTERS} for thing in THINGS}
    content |= {"llm": {"provider": "local"}, "student": {"model": str(encoder_folder), "mode": "frozen"}}
    spec = Spec.from_dict(content | {"back_off": 0.7})
    assert check(read_table(folder / "in.csv"), spec)
    model = ScriptedModel(_written if request.param == "chat" else _scored, style=request.param, rows_per_call=64)
    model.writes = request.param == "chat"
    job = TrainingJob(
        job_id="j", csv=folder / "in.csv", spec=spec, output=folder / "out", work=folder / "work",
        answers=folder / "answers.sqlite", cache=folder, key_folder=folder,
    )  # fmt: skip
    anyio.run(lambda: train(job, environ={}, chat_model=model))
    return job.output, [prompt for prompt in model.prompts if prompt.labels], request.param


def test_a_question_explains_a_shortlist_and_not_all_leaves(finished):
    """A model that scores is asked about the shortlist alone. One that writes sees every name once, in the part that
    all questions share, may answer any of them, and has the meanings of the shortlist in its own part."""
    _, prompts, style = finished
    for prompt in prompts:
        if style == "completion":
            assert SHORTLIST_LABELS == len(set(prompt.labels) & set(LEAVES)) == len(prompt.labels)
            continue
        assert LEAVES == tuple(prompt.labels)
        assert set(THINGS) == set(prompt.branches)
        assert " is " not in prompt.shared.partition("Labels:\n")[2].partition("\n\n")[0]
        nearest = prompt.specific.partition("Labels nearest to the last text:\n")[2].partition("\n\n")[0].splitlines()
        assert SHORTLIST_LABELS == len(nearest)
        assert all(re.fullmatch(r"- (\w+) / (\w+): \1 is \2", line) for line in nearest)
    if style == "chat":
        assert 1 == len({prompt.shared.partition("\n<text>")[0] for prompt in prompts})


def test_answers_are_read_and_rows_back_off(finished):
    """Every answer counts, partial ones too; where no leaf reaches `back_off`, the node is a branch or below it."""
    folder, _, style = finished
    rows = _rows(folder / "annotated.csv")
    assert len(TEXTS) == len(rows)
    for row in rows:
        assert "ok" == row["freeal_status"]
        assert row["freeal_label"] in LEAVES
        assert row["freeal_node"] in (*LEAVES, *THINGS)
        if row["freeal_node"] in LEAVES:
            assert float(row["freeal_node_confidence"]) >= 0.7
    if style == "chat":
        assert [_says(row["text"]) for row in rows] == [row["freeal_llm_label"] for row in rows]
    tree = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["final"]["tree"]
    assert (0.7, len(TEXTS)) == (tree["back_off"], tree["evaluated_rows"])


def test_predictions_hold_all_leaves_and_back_off(finished, tmp_path):
    """A probability for each of 210, and the node that they reach together."""
    folder, _, _ = finished
    csv_file = folder.parent / "in.csv"
    model = model_folders.classifier_folder(folder)
    predict_csv(PredictionJob(input_csv=csv_file, output_csv=tmp_path / "new.csv", model=model))
    rows = _rows(tmp_path / "new.csv")
    assert [f"freeal_p_{leaf}" for leaf in LEAVES] == [name for name in rows[0] if name.startswith("freeal_p_")]
    for row in rows:
        below = [leaf for leaf in LEAVES if f"{leaf} / ".startswith(f"{row['freeal_node']} / ")]
        total = sum(float(row[f"freeal_p_{leaf}"]) for leaf in below)
        assert pytest.approx(total, abs=0.02) == float(row["freeal_node_confidence"])
