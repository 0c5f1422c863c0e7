"""A job that chooses its student: what it says of the choice, what a killed one repeats, what later versions keep."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import anyio
import pytest

import freeal.report.report_page
from freeal.job.run_training_job import train
from freeal.job.training_job import TrainingJob
from freeal.results import metrics_as_text, student_of_version
from freeal.settings import LoopSettings, StudentSettings
from freeal.spec.job_spec import Spec
from freeal.student.model_folder import load_student
from freeal.testing.scripted_model import ScriptedModel, text_of

SCHEMA = Path(freeal.report.report_page.__file__).parent / "metrics.schema.json"
TEXTS = [f"a {'good' if number % 2 else 'bad'} film number {number}" for number in range(60)]


def answer(prompt):
    """The truth, of which one in ten is wrong."""
    if not prompt.labels:
        return json.dumps({"texts": ["a good new film", "a bad new film", "a new film"]})
    text = text_of(prompt.specific)
    right = not text.endswith("0")
    return json.dumps({"label": "happy" if ("good" in text) == right else "angry", "confidence": 0.8})


@pytest.fixture
def job(tmp_path, encoder_folder):
    """Two rounds of a frozen student: the tiny encoder, which knows no word, or words."""
    table = tmp_path / "films.csv"
    with table.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("text",), *((text,) for text in TEXTS)])
    places = {name: tmp_path / name for name in ("output", "work", "cache", "answers.sqlite")}
    return TrainingJob(
        job_id="films-1",
        csv=table,
        spec=Spec.from_dict({"name": "films", "description": "Mood of it.", "labels": ["angry", "happy"]}),
        output=places["output"],
        work=places["work"],
        answers=places["answers.sqlite"],
        cache=places["cache"],
        key_folder=tmp_path,
        student=StudentSettings(model=[str(encoder_folder), "tfidf"], mode="frozen", device="cpu", precision="fp32"),
        loop=LoopSettings(iterations=2, stop_changed_share=0.0),
    )


def _train(job, events):
    return anyio.run(lambda: train(job, emit=events.append, chat_model=ScriptedModel(answer), environ={}))


def test_the_choice_stands_in_metrics_report_log_and_model(job):
    """Whoever looks sees which student it is and why; the folder holds that one, and it predicts."""
    events = []
    metrics = _train(job, events).metrics
    assert "tfidf" == metrics["student"]["model"] == metrics["student"]["mode"]
    encoder, words = metrics["student_comparison"]["candidates"]
    assert (False, True) == (encoder["chosen"], words["chosen"])
    assert words["log_likelihood"] > encoder["log_likelihood"]
    assert words["size_mb"] < encoder["size_mb"] + 1
    published = json.loads(SCHEMA.read_text(encoding="utf-8"))["properties"]["student_comparison"]
    assert set(published["required"]) == set(metrics["student_comparison"])
    assert set(published["properties"]["candidates"]["items"]["required"]) == set(words)
    assert "Students compared after the first annotation" in (job.output / "report.html").read_text()
    assert 1 == sum("tfidf is trained on" in str(event) for event in events)
    student = load_student.load(job.output / "model")
    assert [1, 0] == student.predict_proba(["a good film", "a bad film"]).argmax(axis=1).tolist()
    told = dict(metrics_as_text.metrics_in_words(metrics))
    assert "tfidf" in told["student chosen by log likelihood per text"]


def test_a_version_made_from_it_keeps_its_student(job, encoder_folder):
    """Corrections and promises compare nothing again; a list without that student is compared anew."""
    _train(job, [])
    assert "tfidf" == student_of_version.settings_with_student_of_version(job.student, job.output).model
    others = job.student.model_copy(update={"model": (str(encoder_folder), "minilm")})
    assert others == student_of_version.settings_with_student_of_version(others, job.output)


def test_the_same_seed_chooses_the_same(job, tmp_path):
    """The table is the same but for what a clock measures."""
    clocks = {"texts_per_second", "seconds"}
    tables = []
    for number in range(2):
        again = job.model_copy(update={"output": tmp_path / f"out{number}", "work": tmp_path / f"work{number}"})
        found = _train(again, []).metrics["student_comparison"]["candidates"]
        tables.append([{key: value for key, value in one.items() if key not in clocks} for one in found])
    assert tables[0] == tables[1]


@pytest.mark.slow
def test_killed_after_the_choice_it_is_not_made_again(job, tmp_path):
    """kill -9 in the training behind the comparison: the next run reads the choice."""
    script = tmp_path / "run.py"
    script.write_text(
        textwrap.dedent(f"""
        import os, signal, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        import anyio
        from test_student_choice import ScriptedModel, TrainingJob, answer, train
        job = TrainingJob.model_validate_json(open({str(tmp_path / "job.json")!r}).read())
        def emit(event):
            if list(job.work.glob("*/comparison/choice.json")):
                os.kill(os.getpid(), signal.SIGKILL)
        anyio.run(lambda: train(job, emit=emit, chat_model=ScriptedModel(answer), environ={{}}))
        """)
    )
    (tmp_path / "job.json").write_text(job.model_dump_json())
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert -signal.SIGKILL == done.returncode, done.stderr
    kept = {path.name: path.stat().st_mtime_ns for path in job.work.glob("*/comparison/*")}
    assert {"0.npz", "1.npz", "choice.json"} == set(kept)
    events = []
    metrics = _train(job, events).metrics
    assert 0 == sum("is trained on" in str(event) for event in events)
    assert kept == {path.name: path.stat().st_mtime_ns for path in job.work.glob("*/comparison/*")}
    assert "tfidf" == metrics["student"]["model"]
    assert 2 == len(metrics["student_comparison"]["candidates"])
