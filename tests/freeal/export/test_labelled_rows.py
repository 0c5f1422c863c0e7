"""Labelled rows in the forms of other programs, read back by those programs' own rules."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from freeal.cli.command_line import main
from freeal.export.argilla_records import export_records
from freeal.export.dataset_folder import export_dataset
from freeal.export.label_studio_tasks import export_tasks


def test_datasets_loads_the_folder_with_its_labels_as_classes(version, tmp_path, monkeypatch):
    """`load_dataset` finds names, types and labels in the card; what is empty is null, and `NA` is a text."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    found = export_dataset(version, tmp_path / "out")
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))["train"]
    assert found["columns"] == loaded.column_names
    label = loaded.features["freeal_label"]
    assert ["yes", "no"] == label.names
    assert ["yes", "no", "no", None, "yes", "no"] == [
        None if value is None else label.int2str(value) for value in loaded["freeal_label"]
    ]
    assert ["007", "NA", "null", "4", "5", "6"] == list(loaded["id"])
    assert ['good, "very" good', "bad\r\nand long", "NA", None, "good <b>", "bad"] == list(loaded["text"])
    assert "float64" == loaded.features["freeal_confidence"].dtype
    assert [1, 1, 1, None, 1, 1] == list(loaded["freeal_round"])


def test_label_studio_tasks_fit_their_interface(version, tmp_path):
    """Each prediction names a control of the interface and one of its choices; a row without text is no task."""
    found = export_tasks(version, tmp_path / "out")
    assert (5, 1) == (found["tasks"], found["without_text"])
    tasks = json.loads((tmp_path / "out" / "tasks.json").read_text(encoding="utf-8"))
    view = ElementTree.parse(tmp_path / "out" / "labeling_config.xml").getroot()  # noqa: S314 - our own
    control = view.find("Choices")
    choices = {choice.get("value") for choice in control}
    assert "Is it <good> & well?" == view.find("Header").get("value")
    for task in tasks:
        [prediction] = task["predictions"]
        [result] = prediction["result"]
        assert (control.get("name"), control.get("toName")) == (result["from_name"], result["to_name"])
        assert set(result["value"]["choices"]) <= choices
        assert 0.0 <= prediction["score"] <= 1.0
        assert view.find("Text").get("value") == "$text"
        assert task["data"]["text"]
    assert [1, 2, 3, 5, 6] == [task["data"]["row_number"] for task in tasks]
    assert {"id": "007", "text": 'good, "very" good', "truth": "yes"} == tasks[0]["data"]["row"]


def test_argilla_records_answer_the_question_of_their_settings(version, tmp_path):
    """Each suggestion is for the question, with one of its values; a record's id is its row's number."""
    found = export_records(version, tmp_path / "out")
    settings = json.loads((tmp_path / "out" / ".argilla" / "settings.json").read_text(encoding="utf-8"))
    records = json.loads((tmp_path / "out" / "records.json").read_text(encoding="utf-8"))
    assert 5 == found["records"] == len(records)
    [question] = settings["questions"]
    values = {option["value"] for option in question["settings"]["options"]}
    assert {"yes", "no"} == values
    for record in records:
        assert {field["name"] for field in settings["fields"]} == set(record["fields"])
        assert {question["name"]} == set(record["suggestions"])
        assert record["suggestions"][question["name"]]["value"] in values
    assert ["1", "2", "3", "5", "6"] == [record["id"] for record in records]
    assert "yes" == records[0]["metadata"]["true_label"]
    assert "true_label" not in records[2]["metadata"]


@pytest.mark.parametrize("form", ["dataset", "argilla", "label-studio"])
def test_the_command_says_what_it_wrote_and_refuses_a_folder_in_use(version, tmp_path, capsys, form):
    """For people and for programs; a second export into the same folder replaces the first."""
    arguments = ["export", form, str(version), "--output", str(tmp_path / "out")]
    assert 0 == main(arguments)
    assert "labels" in capsys.readouterr().out
    assert 0 == main([*arguments, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert ["yes", "no"] == found["labels"]
    assert all((tmp_path / "out").joinpath(name).exists() for name in found["files"])
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    assert 78 == main([*arguments[:-1], str(tmp_path / "mine")])
    assert "is in use" in capsys.readouterr().err
