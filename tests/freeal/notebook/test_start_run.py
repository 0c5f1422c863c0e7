"""`freeal.run`: what may be handed over, three ways to wait, and what is there afterwards."""

from __future__ import annotations

import asyncio
import json
import threading

import anyio.to_thread
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import freeal
from freeal.errors import ConfigError, InputError, SpecError, TrainingError
from freeal.events import Progress
from freeal.notebook import input_table
from freeal.notebook.job_thread import StoppedError
from freeal.table import read_table
from freeal.testing.scripted_model import ScriptedModel
from freeal.testing.server import MessagesServer
from freeal.testing.tiny_student import TinyTrainer


def texts(number):
    """As many, half of them good."""
    return [f"a {'good' if row % 2 else 'bad'} thing, number {row}" for row in range(number)]


def test_three_lines_label_a_list_of_texts(start):
    """Texts in, a frame with their labels and a model that labels others out."""
    result = start(texts(20)).wait()
    assert ["no", "yes"] * 10 == list(result.frame["freeal_label"])
    assert texts(20) == list(result.frame["text"])
    assert ["yes", "no"] == result.model.predict(["good", "bad"]).labels


def test_a_data_frame_keeps_its_index_its_columns_and_their_types(start, spec):
    """What comes back is the frame that was handed over, with our columns behind; missing values are no text."""
    frame = pd.DataFrame(
        {"id": [7, 8, 9], "title": ["good", None, 'bad, "it" is\r\nbad'], "stars": [1.5, float("nan"), 3.0]},
        index=["a", "b", "c"],
    )
    result = start(frame, spec | {"text_columns": ["title"], "id_column": "id"}).wait()
    pd.testing.assert_frame_equal(frame, result.frame[["id", "title", "stars"]])
    assert ["yes", None, "no"] == [label if isinstance(label, str) else None for label in result.frame["freeal_label"]]
    assert "empty_text" == result.frame.loc["b", "freeal_status"]
    assert 1.0 == result.frame.loc["a", "freeal_round"]


def test_a_file_and_its_yaml_are_taken_as_they_are(start, tmp_path):
    """A path is read like any table, and the spec beside it; the model has the file's name."""
    (tmp_path / "mails.csv").write_text("no;mail\n001;a good one\n002;a bad one\n", encoding="utf-8")
    (tmp_path / "mails.yaml").write_text("description: Good?\nlabels: [yes, no]\nid_column: no\n", encoding="utf-8")
    run = start("mails.csv", "mails.yaml")
    assert tmp_path / "freeal-results" / "mails" == run.folder
    assert ["001", "002"] == list(run.wait().frame["no"])


def test_it_is_awaited_in_a_loop_that_goes_on_meanwhile(start):
    """The notebook's own loop is free while the run works, and callbacks are called in its thread."""
    seen, here = [], threading.get_ident()

    async def main():
        ticks = 0
        run = asyncio.ensure_future(_awaited(start(texts(20), on_round=lambda _: seen.append(threading.get_ident()))))
        while not run.done():
            ticks += 1
            await asyncio.sleep(0)
        return ticks, await run

    ticks, result = asyncio.run(main())
    assert 20 == len(result.frame)
    assert ticks > 10
    assert {here} == set(seen)


async def _awaited(run):
    return await run


def test_it_can_be_waited_for_inside_a_running_loop(start):
    """As in a notebook's cell, where `anyio.run` and `asyncio.run` refuse."""

    async def cell():
        return start(texts(12)).wait()

    assert 12 == len(asyncio.run(cell()).frame)


@pytest.mark.parametrize("backend", ["asyncio"])
def test_the_rounds_can_be_iterated_over(start, backend):
    """Each round is reported when it ends; the result is there afterwards, and again."""

    async def main():
        run = start(texts(20))
        with pytest.raises(RuntimeError, match="not begun yet"):
            assert run.result
        reports = [report async for report in run]
        assert run.result is await run is run.wait()
        return reports, run.result

    reports, result = anyio.run(main, backend=backend)
    assert [1, 2][: len(reports)] == [report.round for report in reports]
    assert tuple(reports) == result.rounds
    assert (20, 20) == (reports[0].asked, reports[0].answered)
    assert "<td>20</td>" in reports[0]._repr_html_()


class NeverDone(TinyTrainer):
    """Its training goes on until it is stopped."""

    def __init__(self):
        super().__init__()
        self.began = threading.Event()

    def fit(self, data, *, on_step, **more):
        self.began.set()
        while self.began.is_set():
            on_step(0, 1)
        return super().fit(data, on_step=on_step, **more)


def test_leaving_the_iteration_stops_the_run(start, model):
    """Whoever stops looking stops paying; the same call goes on with the answers it has."""
    trainer = NeverDone()

    async def main():
        run = start(texts(20), student=trainer)
        looking = asyncio.ensure_future(anext(aiter(run)))
        await anyio.to_thread.run_sync(trainer.began.wait)
        looking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await looking
        with pytest.raises(StoppedError, match="goes on"):
            assert run.result

    asyncio.run(main())
    asked = len(model.prompts)
    assert 20 == len(start(texts(20)).wait().frame)
    assert asked <= len(model.prompts) <= asked + 20


def test_what_goes_wrong_is_raised_where_one_waits(start):
    """The run's own error, once more at each further look; a mended call works in the same folder."""
    run = start(texts(8), llm=ScriptedModel(lambda prompt: "perhaps"))
    with pytest.raises(TrainingError, match="no usable answer"):
        run.wait()
    with pytest.raises(TrainingError):
        asyncio.run(_awaited(run))
    assert 8 == len(start(texts(8)).wait().frame)


def test_a_finished_run_leaves_no_work_and_may_be_done_again(start, model):
    """The same call fills the same folder anew and asks nothing twice; a folder of somebody else's is refused."""
    first = start(texts(10)).wait()
    asked = len(model.prompts)
    again = start(texts(10)).wait()
    assert asked == len(model.prompts)
    pd.testing.assert_frame_equal(first.frame, again.frame)
    assert not (first.folder / ".work").exists()
    (first.folder.parent / "mine").mkdir()
    (first.folder.parent / "mine" / "thesis.txt").touch()
    with pytest.raises(ConfigError, match="is in use"):
        start(texts(10), folder=first.folder.parent / "mine")


def test_events_are_told_as_they_come(start):
    """Whoever draws a bar of their own gets every event of the job."""
    events = []
    start(texts(10), on_event=events.append).wait()
    assert {"reading", "annotating", "training", "writing"} <= {
        event.stage for event in events if isinstance(event, Progress)
    }


def test_a_result_shows_itself(start, spec):
    """In a notebook: figures, rounds and first rows, all that a stranger wrote escaped; in a shell: a line."""
    frame = pd.DataFrame({"text": ["<script>good()</script>", *texts(9)], "truth": ["yes", *["no", "yes"] * 4, "no"]})
    result = start(frame, spec | {"label_column": "truth"}).wait()
    assert result.accuracy == pytest.approx(1.0)
    html = result._repr_html_()
    assert "report.html" in html
    assert "100.0" in html
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "accuracy 100.0%" in repr(result)
    assert {"yes": 5, "no": 5} == result.label_counts
    assert 0.0 == result.usd
    assert result.report.is_file()
    assert json.loads((result.folder / "metrics.json").read_text(encoding="utf-8")) == result.metrics


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (["a", 3], "text number 2 is int"),
        ("no such file.csv", "there is no such file"),
        (3, "rows are a data frame or a list of texts, found int"),
        (pd.DataFrame(), "has no column"),
        (pd.DataFrame([["a", "b"]], columns=["x", "x"]), "two columns named 'x'"),
        (["half \ud83d"], "half a character"),
    ],
)
def test_what_is_no_table_is_told_so(start, data, message):
    """Each with what to hand over in its place."""
    with pytest.raises(InputError, match=message):
        start(data).wait()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"llm": {"modell": "x"}}, "llm, key 'modell': unknown key.*did you mean 'model'"),
        ({"student": {"epochs": 0}}, "student, key 'epochs'"),
        ({"loop": {"iterations": "many"}}, "loop, key 'iterations': must be a whole number"),
        ({"student": object()}, "object has no fit and predict_proba"),
    ],
)
def test_settings_are_checked_at_once(start, given, message):
    """A misspelt key is an error that names it, before anything runs."""
    with pytest.raises(ConfigError, match=message):
        start(texts(4), **given)


def test_a_spec_is_a_dictionary_yaml_text_or_a_file(tmp_path):
    """All four say the same; what is wrong names key and line."""
    path = tmp_path / "t.yaml"
    path.write_text("name: t\ndescription: Good?\nlabels: [yes, no]\n", encoding="utf-8")
    same = freeal.Spec(name="t", description="Good?", labels=["yes", "no"])
    assert same == freeal.Spec.from_yaml(path) == freeal.Spec.from_yaml(str(path))
    assert same == freeal.Spec.from_yaml(path.read_text(encoding="utf-8"))
    assert same == freeal.Spec.from_dict({"name": "t", "description": "Good?", "labels": ["yes", "no"]})
    with pytest.raises(SpecError, match="the spec, line 1, key 'descripton': unknown key"):
        freeal.Spec.from_yaml("descripton: Good?\nlabels: [yes, no]")
    with pytest.raises(SpecError, match="the spec, key 'labels': at least 2"):
        freeal.Spec.from_dict({"description": "Good?", "labels": ["yes"]})


_VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(_VALUES, _VALUES), min_size=1, max_size=6), is_one_column=st.booleans())
def test_a_frame_is_read_back_value_for_value(tmp_path, rows, is_one_column):
    """Whatever the values look like, the rows of a run are those of the frame: none is a header, blank or two."""
    frame = pd.DataFrame(rows, columns=["text", "other"])
    frame = frame[["text"]] if is_one_column else frame
    spec = freeal.Spec(name="t", description="Good?", labels=["yes", "no"])
    table = input_table.input_table(frame, spec)
    read = read_table(table.input_file_in(tmp_path), table.spec.csv)
    assert list(frame.columns) == list(read.header)
    assert frame.to_numpy().tolist() == [list(row) for row in read.rows]


def test_numbers_and_missing_values_as_text():
    """What is missing is empty; the rest as Python prints it."""
    frame = pd.DataFrame(
        {"a": [1, 2], "b": [0.5, np.nan], "c": [True, None], "d": [pd.NaT, pd.Timestamp("2026-01-02")]}
    )
    header, rows = input_table.frame_cells(frame)
    assert ["a", "b", "c", "d"] == header
    assert [["1", "0.5", "True", ""], ["2", "", "", "2026-01-02 00:00:00"]] == list(rows)


def test_columns_of_several_language_models_stand_behind_the_others(start, spec, monkeypatch):
    """Each column is what it says, for rows of the caller's own too."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-test")
    rows = pd.DataFrame({"text": [f"a {'good' if row % 2 else 'bad'} thing, number {row}" for row in range(40)]})
    with MessagesServer(answer=lambda text: "yes" if "good" in text else "no") as server:
        two = (
            {"provider": "anthropic", "model": "claude-haiku-5-5"},
            {"provider": "anthropic", "model": "claude-opus-5"},
        )
        several = spec | {"llm": list(two), "llm_use": "side_by_side", "iterations": 1}
        frame = start(rows, several, llm={"base_url": server.base_url}).wait().frame
    assert {"yes", "no"} == set(frame["freeal_llm_label_1"]) == set(frame["freeal_llm_label_2"])
    assert {"ok"} == set(frame["freeal_status"])
    assert frame["freeal_confidence"].between(0.5, 1.0).all()
    assert list(frame["freeal_label"]) == ["yes" if row % 2 else "no" for row in range(40)]
