"""Where the commands put what they made: freeal/cli/result_places.py."""

from __future__ import annotations

import pytest

from freeal.cli.command_line import main
from freeal.cli.result_places import ResultPlaces
from freeal.errors import ConfigError
from freeal.table import read_table
from freeal.table.output_format import rows_in_form


@pytest.fixture
def results(tmp_path):
    """Fill the results of a run."""

    def fill(places, rows="text,freeal_label\n007,yes\n"):
        (places.results / "model").mkdir(parents=True, exist_ok=True)
        (places.results / "model" / "freeal.json").write_text('{"new": 1}')
        (places.results / "model" / "README.md").write_text("card")
        (places.results / "annotated.csv").write_text(rows)
        (places.results / "run.json").write_text("{}")

    return fill


def test_a_model_is_delivered_whole_and_again(tmp_path, results):
    """What a person put beside it stays; the rows go where they were wanted."""
    places = ResultPlaces.of(tmp_path / "m", output_csv=tmp_path / "out.csv")
    results(places)
    with places.held():
        places.deliver_results()
    (tmp_path / "m" / "notes.txt").write_text("mine")
    again = ResultPlaces.of(tmp_path / "m", output_csv=tmp_path / "out.csv")
    again.deliver_results()
    assert ["README.md", "freeal.json", "notes.txt"] == sorted(path.name for path in (tmp_path / "m").iterdir())
    assert "text,freeal_label\n007,yes\n" == (tmp_path / "out.csv").read_text()
    assert ["m", "m-results", "out.csv"] == sorted(path.name for path in tmp_path.iterdir())


def test_rows_are_a_workbook_where_the_name_says_so(tmp_path, results):
    """Every cell a text; by train and by predict."""
    pytest.importorskip("openpyxl")
    places = ResultPlaces.of(tmp_path / "m", output_csv=tmp_path / "out.xlsx")
    results(places)
    places.deliver_results()
    assert [["007", "yes"]] == read_table(tmp_path / "out.xlsx").rows
    with rows_in_form(tmp_path / "new.xlsx", name="new.xlsx") as rows:
        rows.write_text("text\n1/2\n")
    assert [["1/2"]] == read_table(tmp_path / "new.xlsx").rows
    assert ["m", "m-results", "new.xlsx", "out.xlsx"] == sorted(path.name for path in tmp_path.iterdir())


def test_parquet_is_for_predictions(tmp_path):
    """A training job's rows would be a CSV under a name that says otherwise."""
    with pytest.raises(ConfigError, match=r"--output-csv.*is Parquet"):
        ResultPlaces.of(tmp_path / "m", output_csv=tmp_path / "out.parquet")
    assert [] == list(tmp_path.iterdir())


def test_results_of_somebody_else_are_refused(tmp_path):
    """The folder beside the model is filled too."""
    (tmp_path / "m-results").mkdir()
    (tmp_path / "m-results" / "thesis.txt").write_text("mine")
    with pytest.raises(ConfigError, match=r"is in use: it holds thesis\.txt"):
        ResultPlaces.of(tmp_path / "m")


@pytest.mark.parametrize("command", ["train", "predict"])
def test_a_place_in_use_ends_a_command_before_anything_is_done(tmp_path, capsys, monkeypatch, command):
    """In one line, with what to do, and the work of others as it was."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.csv").write_text("text\ngood\nbad\n")
    (tmp_path / "README.md").write_text("mine")
    arguments = {
        "train": ["--labels", "a", "b", "--output-model", "."],
        "predict": ["--model-dir", "m", "--output-csv", "."],
    }[command]
    assert 78 == main([command, "--input-csv", "in.csv", *arguments])
    said = capsys.readouterr().err
    assert (True, "mine") == ("is in use" in said or "is a folder" in said, (tmp_path / "README.md").read_text())
