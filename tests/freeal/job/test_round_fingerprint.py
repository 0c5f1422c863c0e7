"""What a finished round depends on (freeal/job/round_fingerprint.py)."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from freeal.job.round_fingerprint import round_fingerprint
from freeal.job.run_inputs import Given
from freeal.job.training_job import TrainingJob
from freeal.pool.text_pool import Pool
from freeal.spec.job_spec import Spec


@dataclasses.dataclass
class _Model:
    fingerprint: str
    style: str = "chat"


class _Trainer:
    def __init__(self):
        self.description = {"model": "m"}


def _question(*, models=1, iterations=3, style="chat", llm=None, further=None, **spec):
    made = Spec(name="t", description="d", labels=["a", "b", "c"], **spec)
    places = dict.fromkeys(("csv", "output", "work", "answers", "cache", "key_folder"), Path("x"))
    told = {"llm": llm or {}, "further_llms": [further or {}] * (models - 1)}
    job = TrainingJob(job_id="j", spec=made, loop={"iterations": iterations}, **told, **places)
    given = Given(None, Pool(("x",), (0,), (0,), ("text",)), ())
    return round_fingerprint(
        job.model_dump(mode="json"), given, [_Model(f"m{n}", style) for n in range(models)], _Trainer()
    )


def test_an_order_of_labels_is_another_question():
    """Prompt and choice are others then; a spec without a kind keeps its rounds."""
    assert _question() == _question(kind="single") != _question(kind="ordinal")


@pytest.mark.parametrize(("models", "is_the_same"), [(1, True), (2, False)])
def test_how_many_rounds_there_are_matters_to_a_cascade_alone(models, is_the_same):
    """Its looks are numbered behind the rounds: with fewer of these, a round would be taken for a look."""
    assert is_the_same == (_question(models=models, iterations=3) == _question(models=models, iterations=1))


def test_the_form_of_the_question_matters_to_a_model_that_scores_labels():
    """Rounds asked in one form are not gone on with in another; a model that follows instructions has no form."""
    forms = ("auto", "plain", "Mail: {text}\nTeam: {label}")
    assert 3 == len({_question(style="completion", llm={"form": form}) for form in forms})
    assert 1 == len({_question(llm={"form": form}) for form in forms})


def test_the_form_of_a_further_model_matters_as_well():
    """It is asked in a form of its own, which is remembered with the rounds."""
    forms = ("auto", "plain", "Mail: {text}\nTeam: {label}")
    assert 3 == len({_question(models=2, style="completion", further={"form": form}) for form in forms})
    assert 1 == len({_question(models=2, further={"form": form}) for form in forms})
