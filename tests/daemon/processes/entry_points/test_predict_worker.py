"""The predict lane's process with a real student: slices, several tables at once, a stop and a kill."""

from __future__ import annotations

import contextlib
import csv
import json
import shutil
import signal
import subprocess
import sys

import pytest

from daemon.processes.entry_points.predict_worker import Models, Runs
from daemon.processes.prediction_slice import Slice
from freeal.errors import CorruptModelError
from freeal.events import ignore
from freeal.job.ask_below_promise import BelowPromise
from freeal.prediction.predict_csv import predict_csv
from freeal.prediction.prediction_job import AskBelowPromise
from freeal.settings import PredictSettings, StudentSettings
from freeal.spec.job_spec import Spec
from freeal.student.frozen_trainer import FrozenTrainer
from freeal.student.labelled_texts import LabelledTexts
from freeal.student.model_folder import student_metadata
from freeal.table import read_table
from freeal.testing.tiny_encoder import tiny_encoder

SPEC = Spec(name="t", description="?", labels={"good": "", "bad": ""}, text_columns=["text"])


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model folder with a tiny encoder."""
    encoder = tiny_encoder(tmp_path_factory.mktemp("encoder"))
    trainer = FrozenTrainer(StudentSettings(model=str(encoder), mode="frozen", device="cpu", precision="fp32"))
    data = LabelledTexts(["good film", "bad film"] * 10, [0, 1] * 10)
    folder = tmp_path_factory.mktemp("model")
    trainer.fit(data, labels=("good", "bad"), seed=0, on_step=lambda done, total: None).student.save(folder)
    student_metadata.add_extra(folder, {"name": "a", "job": "a-1", "text_columns": ["text"]})
    return folder


@pytest.fixture
def slice_of(tmp_path, model):
    """A request for a CSV of so many different texts."""

    def make(name, rows, *, slice_seconds=0.0):
        path = tmp_path / f"{name}.csv"
        with path.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows(
                [["text"], *([f"a {'good' if n % 2 else 'bad'} film {n}"] for n in range(rows))]
            )
        return Slice(
            model=model,
            input_csv=path,
            output_csv=tmp_path / f"{name}.out.csv",
            settings=PredictSettings(chunk_rows=10),
            slice_seconds=slice_seconds,
        )

    return make


class Worker:
    """The process, spoken to line by line."""

    def __init__(self):
        command = [sys.executable, "-m", "daemon.processes.entry_points.predict_worker"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, request):
        """Send a request; events and answer, until the answer."""
        self.send(request)
        return list(self.until_answer())

    def send(self, request):
        self.process.stdin.write(request.model_dump_json() + "\n")
        self.process.stdin.flush()

    def until_answer(self):
        for line in self.process.stdout:
            message = json.loads(line)
            yield message
            if message["type"] != "progress":
                return

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait(timeout=60)


@pytest.fixture
def worker():
    """A running process, buried afterwards."""
    found = Worker()
    yield found
    found.process.kill()
    found.process.wait()
    found.process.stdin.close()
    found.process.stdout.close()


def _expected(request):
    """What one undisturbed run writes."""
    whole = request.model_copy(update={"output_csv": request.output_csv.with_name("expected.csv")})
    predict_csv(whole)
    return whole.output_csv.read_text()


def test_tables_take_turns_and_come_out_as_if_alone(worker, slice_of):
    """A slice of no time is one window; two tables alternate; both end with their own rows."""
    first, second = slice_of("first", 25), slice_of("second", 15)
    answers = [worker.ask(request) for request in (first, second, first, second, first, second, first)]
    ends = [answer[-1]["type"] for answer in answers]
    assert ["stopped", "stopped", "stopped", "stopped", "stopped", "result", "result"] == ends
    told = [[message["done"] for message in answer[:-1]] for answer in answers[::2]]
    assert [[0, 10], [10, 20], [20, 25], [25, 25]] == told
    assert [_expected(first), _expected(second)] == [first.output_csv.read_text(), second.output_csv.read_text()]
    assert 0 == worker.end()


@pytest.mark.slow
def test_sigterm_ends_the_process_where_another_goes_on(worker, slice_of):
    """It answers that it was stopped, ends well, and the next process does not begin anew."""
    request = slice_of("many", 300, slice_seconds=600.0)
    worker.send(request)
    messages = worker.until_answer()
    assert 0 == next(messages)["done"]
    assert 0 < next(messages)["done"]
    worker.process.send_signal(signal.SIGTERM)
    *_, last = messages
    assert "stopped" == last["type"]
    assert 0 == worker.end()
    again = Worker()
    resumed, *_, end = again.ask(request)
    assert (True, "result") == (resumed["done"] > 0, end["type"])
    assert 0 == again.end()
    assert _expected(request) == request.output_csv.read_text()


@pytest.mark.slow
def test_sigkill_loses_no_more_than_a_window(worker, slice_of):
    """Killed amid the work, the next process goes on behind the last window that was told of."""
    request = slice_of("many", 300, slice_seconds=600.0)
    worker.send(request)
    told = [message["done"] for message, _ in zip(worker.until_answer(), range(5), strict=False)]
    worker.process.kill()
    worker.process.wait()
    again = Worker()
    resumed, *_, end = again.ask(request)
    assert ("result", True) == (end["type"], resumed["done"] >= told[-1])
    assert 0 == again.end()
    assert _expected(request) == request.output_csv.read_text()


def test_a_table_that_cannot_be_labelled_leaves_the_others_alone(worker, slice_of):
    """A missing column is a failure of its own, with the nearest name and the line; the process goes on."""
    bad, good = slice_of("bad", 5), slice_of("good", 5)
    bad.input_csv.write_text("texd\nx\n")
    *_, failure = worker.ask(bad)
    assert ("failure", "InputError", 1) == (failure["type"], failure["kind"], failure["where"]["line"])
    assert "'texd'" in failure["hint"]
    end = worker.ask(good.model_copy(update={"slice_seconds": 60.0}))[-1]
    assert ("result", 5) == (end["type"], end["content"]["rows"])
    assert 0 == worker.end()


def test_a_workbook_comes_back_as_one_too(worker, slice_of, tmp_path):
    """With the same rows as the CSV, every cell a text."""
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (["id", "text"], [7, "a good film"], [8, "a bad film"]):
        book.active.append(row)
    book.active["A2"].number_format = "000"
    book.save(tmp_path / "new.xlsx")
    request = slice_of("new", 0, slice_seconds=60.0).model_copy(update={"input_csv": tmp_path / "new.xlsx"})
    assert ("result", 2) == ((answer := worker.ask(request)[-1])["type"], answer["content"]["rows"])
    rows = read_table(request.output_csv.with_suffix(".xlsx")).rows
    assert (read_table(request.output_csv).rows, ["007", "a good film"]) == (rows, rows[0][:2])


def test_a_name_in_parquet_asks_for_parquet(worker, slice_of, tmp_path):
    """What a lane with `predict.output: parquet` asks for."""
    parquet = pytest.importorskip("pyarrow.parquet")
    request = slice_of("new", 4, slice_seconds=60.0)
    request = request.model_copy(update={"output_csv": request.output_csv.with_suffix(".parquet")})
    assert "result" == worker.ask(request)[-1]["type"]
    assert [0, 1, 2, 3] == parquet.read_table(request.output_csv).column("freeal_row").to_pylist()


def test_a_model_that_is_gone_is_a_failure_that_says_so(worker, slice_of, tmp_path):
    """The folder is named."""
    *_, failure = worker.ask(slice_of("new", 5).model_copy(update={"model": tmp_path / "gone"}))
    assert (CorruptModelError.__name__, str(tmp_path / "gone")) == (failure["kind"], failure["where"]["file"])
    assert 0 == worker.end()


def test_what_was_opened_for_something_else_is_opened_anew(slice_of, tmp_path, model, monkeypatch):
    """With another version, or once the owner takes the leave to ask back: nobody is asked from then on."""
    ask = AskBelowPromise(payer="p", answers=tmp_path / "a.sqlite", cache=tmp_path, key_folder=tmp_path)
    monkeypatch.setattr(BelowPromise, "of", lambda told, *_, **__: BelowPromise(told, tmp_path, SPEC, ()))
    runs, alone = Runs(Models()), slice_of("new", 3)
    asking = alone.model_copy(update={"ask": ask})
    other = alone.model_copy(update={"model": shutil.copytree(model, tmp_path / "other")})
    with contextlib.closing(runs.kept_run(asking, ignore)) as opened:
        assert opened is runs.kept_run(asking, ignore)
        without = runs.kept_run(alone, ignore)
        assert opened is not without
        assert without is not runs.kept_run(other, ignore)
    runs.close_all()
