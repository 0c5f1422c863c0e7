"""A finished run over as many made-up rows as wanted: everything of a job but its models' work."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import numpy as np

from freeal.loop.final_label import decide_final_labels
from freeal.loop.loop_result import LoopResult
from freeal.loop.round_state import RoundState
from freeal.money.budget_ledger import Ledger
from freeal.pool.text_pool import Pool, build_pool
from freeal.results.finished_run import Answerer, FinishedRun
from freeal.settings import LlmSettings, LoopSettings, Price, StudentSettings
from freeal.spec.job_spec import Spec
from freeal.student.model_folder import student_metadata
from freeal.table import Table, read_table
from freeal.types import Annotation, Demonstration, Status

LABELS = tuple(f"label {number}" for number in range(6))
WIDTH = 384
"""Of embeddings, as the packaged encoder has it."""
_WORDS = 4_000
_TEXT_WORDS = 20


@dataclasses.dataclass(frozen=True)
class Synthetic:
    """`table` and `pool` of the rows, a round over them and what a job would write of it."""

    csv: Path
    spec: Spec
    table: Table
    pool: Pool
    state: RoundState
    run: FinishedRun


def write_csv(path: Path, rows: int) -> None:
    """Texts of 20 random words, one in ten a copy of the one before with a word changed, and a true label each."""
    rng = np.random.default_rng(0)
    words = np.array([f"word{number}" for number in range(_WORDS)])
    before: list[str] = []
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "text", "truth"])
        for number in range(rows):
            drawn = words[rng.integers(_WORDS, size=_TEXT_WORDS)].tolist()
            if number % 10 == 9:
                drawn = [*before[:-1], drawn[0]]
            before = drawn
            writer.writerow([number, " ".join(drawn), LABELS[int(rng.integers(len(LABELS)))]])


def spec() -> Spec:
    """Six labels, texts and truth."""
    return Spec(
        name="synthetic",
        description="Decide which label it is.",
        labels={name: f"it is {name}" for name in LABELS},
        text_columns=["text"],
        id_column="id",
        label_column="truth",
    )


def make(folder: Path, rows: int) -> Synthetic:
    """The run over `rows` rows; a folder `model` with what of a student the files tell."""
    path, task = folder / "in.csv", spec()
    write_csv(path, rows)
    table = read_table(path)
    pool = build_pool(table, task)
    state = _round(len(pool), pool)
    (folder / "model").mkdir()
    student_metadata.write_card(
        folder / "model",
        student_metadata.Card(labels=LABELS, base_model="minilm", mode="frozen", max_length=128, temperature=1.0),
    )
    free = Ledger(Price(input=0.0, output=0.0, cached_input=0.0), None, model="m")
    settings = {"llm": LlmSettings(), "student": StudentSettings(), "loop": LoopSettings()}
    run = FinishedRun(
        job_id="synthetic-1",
        csv=path,
        spec=task,
        settings={name: part.model_dump(mode="json") for name, part in settings.items()},
        table=table,
        pool=pool,
        answerers=(Answerer("local", "m", "completion"),),
        student={"model": "minilm", "mode": "frozen", "device": "cpu fp32"},
        ledger=free,
        result=LoopResult((state,), state, (), budget_reached=False),
        decisions=decide_final_labels(state, LABELS, abstain_below=0.0),
        started="2026-01-02T03:04:05+00:00",
    )
    return Synthetic(path, task, table, pool, state, run)


def _round(size: int, pool: Pool) -> RoundState:
    rng = np.random.default_rng(1)
    proba, posterior = (rng.dirichlet(np.ones(len(LABELS)), size).astype(np.float32) for _ in range(2))
    said = rng.dirichlet(np.ones(len(LABELS)), size)
    embeddings = rng.normal(size=(size, WIDTH)).astype(np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    best = said.argmax(axis=1).tolist()
    notes = tuple(
        Annotation(index, LABELS[best[index]], row[best[index]], (Status.OK,), 1, tuple(row))
        for index, row in enumerate(said.tolist())
    )
    shown = tuple(Demonstration(pool.texts[index], LABELS[best[index]], "student", index) for index in range(60))
    return RoundState(
        round=1,
        asked=notes,
        annotations=notes,
        demonstrations=shown,
        representatives=shown,
        held_out=np.log(proba),
        posterior=posterior,
        clean_probability=posterior.max(axis=1),
        proba=proba,
        embeddings=embeddings,
        losses=rng.exponential(size=size).astype(np.float32),
        metrics={"round": 1, "asked": size, "answered": size, "invalid": 0, "clean": 0, "agreement": 0.2, "changed": 0,
                 "seconds": 1.0, "usd": 0.0, "input_tokens": 0, "output_tokens": 0},
    )  # fmt: skip
