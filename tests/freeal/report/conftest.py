"""Finished runs on a scripted language model and a student without torch."""

from __future__ import annotations

import csv
import json

import anyio
import pytest

from freeal.annotation.annotator import Annotator
from freeal.events import ignore
from freeal.job import write_output_folder
from freeal.job.run_loop import run_loop
from freeal.job.training_job import TrainingJob
from freeal.llm.store.answer_store import MemoryStore
from freeal.loop.final_label import decide_final_labels
from freeal.loop.round_store import RoundStore
from freeal.money.budget_ledger import Ledger
from freeal.pool.text_pool import build_pool
from freeal.results.finished_run import Answerer, FinishedRun
from freeal.settings import Price
from freeal.spec.job_spec import Spec
from freeal.student.model_folder import student_metadata
from freeal.table import read_table
from freeal.testing.scripted_model import ScriptedModel, text_of
from freeal.testing.tiny_student import TinyTrainer

LABELS = {"happy": "the customer is satisfied", "angry": "the customer is not satisfied"}


def _answer(prompt):
    """By a word of the text; one in nine is wrong, and a text that says so is refused."""
    text = text_of(prompt.specific)
    if not prompt.labels:
        return '{"texts": ["a good one", "a bad one"]}'
    if "unspeakable" in text:
        return "no comment"
    wrong = sum(map(ord, text)) % 9 == 0
    place = ("good" in text) == wrong if len(prompt.labels) == 2 else len(text) % min(7, len(prompt.labels))
    return json.dumps({"label": prompt.labels[place], "confidence": 0.9})


def _rows(count):
    return [
        (f"a {'good' if number % 3 else 'bad'} thing number {number}", "happy" if number % 3 else "angry")
        for number in range(count)
    ]


@pytest.fixture
def finish(tmp_path):
    """Run a job over (text, true label) rows; gives the finished run."""

    def finishing(rows=None, *, labels=None, truth=True, name="moods", job="moods-1", abstain_below=0.0, **spec):
        path = tmp_path / "in.csv"
        with path.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([["id", "text", "truth"]])
            csv.writer(stream).writerows([f"r{n}", *row] for n, row in enumerate(_rows(60) if rows is None else rows))
        spec = Spec(
            name=name,
            **({"description": "Is the customer happy?"} | spec),
            labels=labels or LABELS,
            text_columns=["text"],
            id_column="id",
            label_column="truth" if truth else None,
            iterations=2,
        )
        sheet = read_table(path)
        pool = build_pool(sheet, spec)
        model = ScriptedModel(_answer)
        price = Price(input=1.0, output=1.0, cached_input=1.0)
        ledger = Ledger(price, None, model=model.model)
        job = TrainingJob(
            job_id=job, csv=path, spec=spec, output=tmp_path / "out", work=tmp_path, answers=tmp_path / "a",
            cache=tmp_path, key_folder=tmp_path, loop={"abstain_below": abstain_below},
        ).effective()  # fmt: skip
        trainer = TinyTrainer()
        annotator = Annotator(model, MemoryStore(), ledger, ignore)
        rounds = RoundStore(tmp_path / "rounds", question=f"{job}")
        result = anyio.run(
            lambda: run_loop(job, pool, annotators=(annotator,), trainer=trainer, rounds=rounds, emit=ignore)
        )
        return FinishedRun(
            job_id=job.job_id,
            csv=path,
            spec=spec,
            settings=job.model_dump(mode="json", include={"llm", "student", "loop"}),
            table=sheet,
            pool=pool,
            answerers=(Answerer("anthropic", "script-1", "chat"),),
            student=dict(trainer.description),
            ledger=ledger,
            result=result,
            decisions=decide_final_labels(result.best, spec.task.names, abstain_below=abstain_below),
            started="2026-01-02T03:04:05+00:00",
        )

    return finishing


@pytest.fixture
def publish(tmp_path):
    """Write a finished run's folder as a job does; gives the folder."""

    def publishing(run, *, folder="out", previous=None, mode="frozen"):
        model = tmp_path / f"student of {folder}"
        model.mkdir()
        made = student_metadata.Card(
            labels=run.spec.task.names, base_model="minilm", mode=mode, max_length=128, temperature=1.0
        )
        student_metadata.write_card(model, made)
        before = previous and tmp_path / previous / "model"
        write_output_folder.write_output_folder(run, tmp_path / folder, model_folder=model, previous_model=before)
        return tmp_path / folder

    return publishing
