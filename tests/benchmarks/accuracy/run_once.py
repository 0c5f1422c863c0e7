"""Cells without a loop: the language model asked once, or a student trained once on labels that are given."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import anyio
import handover
import numpy as np
import scores
from cases import Case
from cell_settings import llm_settings, student_settings
from cells import RECORDED, Cell
from place import Folders
from run_loop import CallCount

from freeal.aggregation.label_posterior import Evidence, evidence_of
from freeal.annotation.annotator import Annotator, LabelRequest
from freeal.job.open_chat_model import open_chat_model
from freeal.llm.store.answer_store import SqliteStore
from freeal.money.budget_ledger import Ledger
from freeal.money.prices import price_of
from freeal.settings import LlmSettings
from freeal.student.labelled_texts import LabelledTexts
from freeal.student.protocols import NO_LABEL, Training
from freeal.student.trainer_factory import make_trainer
from freeal.types import Annotation, Status


def ask(cell: Cell, case: Case, folders: Folders) -> dict[str, Any]:
    """Every text once, with nothing but the task in the prompt."""
    count = CallCount()
    labels = anyio.run(_zero_shot, llm_settings(cell, folders), case, folders, count)
    return {
        "scores": {"pool_accuracy": scores.of_pool(labels, case)},
        "calls": count.calls,
        "from_store": count.from_store,
    }


def annotated(cell: Cell, case: Case, folders: Folders) -> dict[str, Any]:
    """A student on the recorded answers, or on those the language model gave in the first round of `freeal`."""
    if cell.llm == RECORDED and case.recorded is not None:
        labels = list(case.recorded)
    else:
        labels = handover.load(folders.record, cell, texts=case.pool.texts)
    measured, training = _student(cell, case, labels)
    measured["scores"] |= {"llm_accuracy": scores.of_pool(labels, case)}
    ids = np.array([NO_LABEL if label is None else case.names.index(label) for label in labels])
    clean = _evidence(labels, case).posterior(training.held_out).of(ids)
    measured["scores"] |= scores.of_clean_set(clean, training.losses, labels, case)
    return measured


def supervised(cell: Cell, case: Case, folders: Folders) -> dict[str, Any]:
    """A student on the true labels."""
    return _student(cell, case, case.true_labels)[0]


async def _zero_shot(settings: LlmSettings, case: Case, folders: Folders, count: CallCount) -> list[str | None]:
    model = await open_chat_model(
        settings,
        cache=folders.cache,
        key_folder=case.csv.parent,
        device="auto",
        emit=count,
        api_key=None,
        environ={},
    )
    async with contextlib.aclosing(model):
        with contextlib.closing(SqliteStore(folders.answers)) as answers:
            ledger = Ledger(price_of(model.provider, model.model, settings.prices), None, model=model.model)
            annotator = Annotator(model, answers, ledger, count, settings.calibration)
            requests = [LabelRequest(index, text) for index, text in enumerate(case.pool.texts)]
            notes = await annotator.annotate(requests, task=case.spec.task, round_number=0)
    return [note.label for note in notes]


def _evidence(labels: Sequence[str | None], case: Case) -> Evidence:
    """The labels as answers without probabilities, and no other voice."""
    notes = [Annotation(index, label, 1.0, (Status.OK,), 1) for index, label in enumerate(labels)]
    return evidence_of(notes, tuple(case.names))


def _student(cell: Cell, case: Case, labels: list[str | None]) -> tuple[dict[str, Any], Training]:
    """A student trained on `labels` (by pool index) as the first round of the loop trains it."""
    trainer = make_trainer(student_settings(cell), texts=len(case.pool))
    training = trainer.fit(
        LabelledTexts(
            case.pool.texts,
            [NO_LABEL if label is None else case.names.index(label) for label in labels],
            weigh=_evidence(labels, case).targets,
        ),
        labels=case.names,
        seed=cell.seed + 1,
        on_step=lambda done, total: None,
    )
    predicted = [case.names[position] for position in training.proba.argmax(axis=1)]
    measured = {
        "scores": {"pool_accuracy": scores.of_pool(predicted, case)} | scores.of_student(training.student, case),
        "student": dict(trainer.description),
    }
    return measured, training
