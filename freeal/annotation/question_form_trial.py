"""Which form of the question suits a task, found out on a sample of its texts, without ground truth.

Each form is asked about the same texts. Of right labels more follows from the texts than of wrong ones, so the form
whose labels a linear model predicts best (freeal/aggregation/learnability.py) is taken, if it is clearly better than
the expected one. Answers of several forms pooled by that were right less often than those of the best one.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

import anyio.to_thread
import numpy as np

from freeal.aggregation import learnability
from freeal.annotation.annotator import LabelRequest
from freeal.annotation.question_form import PLAIN, QuestionForm, forms_for
from freeal.annotation.round_annotation import Questions
from freeal.selection import query_selection
from freeal.student.protocols import NO_LABEL
from freeal.types import Task

TRIAL_TEXTS = 200
"""Texts each form is tried on, drawn by chance; those of the form that is taken need not be asked again."""
LEAST_GAIN = 0.05
"""Kappa that a form must have above the plain one to be taken: about one standard error on so many texts. On 100 texts,
two draws each of MR, CR and TREC, one of AG News, the best by kappa alone was right in 5.4 more of 100 texts than the
plain one, and 6 less in the worst draw; with this margin in 4.7 more, and never less."""


@dataclasses.dataclass(frozen=True, slots=True)
class Tried:
    """A form, and how well its labels can be told from the texts: Cohen's kappa, 1 at best, 0 by chance."""

    template: str
    kappa: float


@dataclasses.dataclass(frozen=True, slots=True)
class FormChoice:
    """The form to ask in, and what it was chosen from, on how many texts; nothing where there was no choice."""

    template: str = PLAIN.template
    tried: tuple[Tried, ...] = ()
    texts: int = 0

    @property
    def form(self) -> QuestionForm:
        """The form itself."""
        return QuestionForm(self.template)

    def __str__(self) -> str:
        """What happened, for a log."""
        if not self.tried:
            return f"asked as {self.form}"
        return f"asked as {self.form}, out of {len(self.tried)} forms tried on {self.texts} texts"


def trial_answers(setting: str, texts: int, *, task: Task, text_columns: Sequence[str]) -> int:
    """How many answers a trial takes beside those that a job of so many texts needs anyway; 0 where nothing is
    tried."""
    if setting != "auto" or texts < learnability.MIN_TEXTS or task.kind == "multi":
        return 0
    return (len(forms_for(task, text_columns)) - 1) * min(texts, TRIAL_TEXTS)


async def form_choice(questions: Questions, indices: Sequence[int]) -> FormChoice:
    """The form in which to ask about the texts at `indices`: the one that is given, or that a trial finds.

    Of fewer than `learnability.MIN_TEXTS` texts none is tried, and the form that is expected to suit is taken; where a
    text has several labels the plain one.
    """
    task, columns = questions.task, questions.pool.text_columns
    forms = (PLAIN,) if task.kind == "multi" else forms_for(task, columns)
    texts = [index for index in indices if questions.pool.texts[index].strip()]
    fixed = questions.annotator.fixed_form
    if fixed is not None or trial_answers("auto", len(texts), task=task, text_columns=columns) == 0:
        return FormChoice((fixed or forms[0]).template)
    sample = query_selection.by_chance(texts, TRIAL_TEXTS, seed=questions.seed)
    embeddings = await questions.embed([questions.pool.texts[index] for index in sample])
    tried = []
    for number, form in enumerate(forms):
        labels = await _labels_by_form(questions, sample, form, done_before=number * len(sample), forms=len(forms))
        tried.append(Tried(form.template, round(await _kappa(questions, sample, embeddings, labels), 4)))
    expected, *others = tried
    best = max(others, key=lambda one: one.kappa)
    taken = best if best.kappa >= expected.kappa + LEAST_GAIN else expected
    return FormChoice(taken.template, tuple(tried), len(sample))


async def _labels_by_form(
    questions: Questions, sample: Sequence[int], form: QuestionForm, *, done_before: int, forms: int
) -> np.ndarray:
    """The label id of each text as this form gives it, int [n]."""
    shortlists = await questions.shortlists(sample, None)
    requests = [
        LabelRequest(index, questions.pool.texts[index], labels=labels)
        for index, labels in zip(sample, shortlists, strict=True)
    ]
    notes = await questions.annotator.annotate(
        requests,
        task=questions.task,
        round_number=0,
        form=form,
        stage="selecting",
        done_before=done_before,
        total=forms * len(sample),
    )
    names = questions.task.names
    return np.array([NO_LABEL if note.label is None else names.index(note.label) for note in notes])


async def _kappa(questions: Questions, sample: Sequence[int], embeddings: np.ndarray, labels: np.ndarray) -> float:
    groups = None if questions.pool.groups is None else np.array(questions.pool.groups)[list(sample)]
    tell = functools.partial(
        learnability.learnability_kappa, labels=len(questions.task.names), seed=questions.seed, groups=groups
    )
    return await anyio.to_thread.run_sync(tell, embeddings, labels)
