"""Labels judged by encoders of halves: who has learned what, and when such a judgement counts."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from freeal.compute.listener import OnStep
from freeal.executors.training.training_task import LocalTraining, TrainingTask
from freeal.settings import StudentSettings
from freeal.student.finetune_trainer import TransformerTrainer
from freeal.student.labelled_texts import LabelledTexts
from freeal.student.protocols import NO_LABEL
from freeal.student.training.encoder_cross_fitting import FEWEST_TEXTS, MOST_ON_CPU, is_worth_it, judged_by_halves
from freeal.student.training.fine_tuning import FineTuning
from freeal.testing.weighed_labels import weighed

LABELS = ("good", "bad")
LONG = {"epochs": 12}
"""So that encoders of right labels know more than heads do."""


def quiet(done: int, total: int) -> None:
    """Nobody watches."""


@pytest.fixture(scope="module")
def many(pool: tuple[list[str], list[int]]) -> tuple[list[str], np.ndarray]:
    """320 texts with their true label ids: enough for halves."""
    texts, labels = pool
    return [*texts, *(f"{text} again" for text in texts)], np.array([*labels, *labels])


class Fits:
    """Instead of training says the labels of the texts it left out, or their opposites, the second fit more surely;
    keeps which those were."""

    def __init__(self, labels: np.ndarray, *, knows: bool = True) -> None:
        self.said = 3.0 * np.eye(2)[labels if knows else 1 - labels]
        self.left_out: list[np.ndarray] = []

    def __call__(self, half: np.ndarray, number: int) -> np.ndarray:
        """Logits of 0 and 3, and of 0 and 4."""
        self.left_out.append(half)
        return self.said * (1.0 + number / 3.0)


class Recording(LocalTraining):
    """Trains here, and keeps whose labels each training learned from."""

    def __init__(self) -> None:
        self.learned: list[np.ndarray] = []

    def train(self, task: TrainingTask, *, on_step: OnStep) -> int:
        """See `TrainingExecutor.train`."""
        assert isinstance(task, FineTuning)
        self.learned.append(task.pool.learned)
        return super().train(task, on_step=on_step)


def test_each_text_is_judged_by_the_fit_that_left_it_out():
    """The halves are complementary over the texts with a label and about equal; no text is judged by who learned it,
    and one without a label by both."""
    labels = np.array([0, 1] * 30 + [NO_LABEL] * 4)
    fits = Fits(np.maximum(labels, 0))
    logits = judged_by_halves(fits, np.zeros((64, 2)), labels, seed=0, groups=None)
    first, second = fits.left_out
    assert (labels != NO_LABEL).tolist() == (first ^ second).tolist()
    assert not (first & second).any()
    assert {30} == {int(first.sum()), int(second.sum())}
    margin = np.abs(logits[:, 1] - logits[:, 0])  # beside heads that know nothing half of what the encoder says
    np.testing.assert_allclose(margin[first], 1.5, atol=1e-6)
    np.testing.assert_allclose(margin[second], 2.0, atol=1e-6)
    np.testing.assert_allclose(margin[labels == NO_LABEL], 1.75, atol=1e-6)


def test_heads_and_encoders_are_heard_alike():
    """What both say counts half each, by the logarithm of their probabilities."""
    labels = np.array([0, 1] * 30)
    heads = np.log(np.where(np.eye(2)[labels] > 0, 0.6, 0.4))
    logits = judged_by_halves(Fits(labels), heads, labels, seed=0, groups=None)
    expected = 0.5 * (heads + np.log(np.where(np.eye(2)[labels] > 0, 1.0, np.exp(-3.0)) / (1.0 + np.exp(-3.0))))
    first = np.abs(logits - expected).max(axis=1) < 1e-6
    assert 30 == int(first.sum())  # the second fit is surer


def test_a_group_is_left_out_as_a_whole():
    """Texts that are nearly the same are in one half: none is judged by who learned its like."""
    groups = np.repeat(np.arange(20), 3)
    labels = np.array([0, 1, 1] * 20)
    fits = Fits(labels)
    judged_by_halves(fits, np.zeros((60, 2)), labels, seed=0, groups=groups)
    assert 2 == len(fits.left_out)
    for half in fits.left_out:
        assert all(len(set(half[groups == group].tolist())) == 1 for group in range(20))


def test_what_helps_on_one_half_alone_is_left():
    """A first encoder that knows its half and a second that says the opposite of all answers of its own: together they
    foretell worse than heads."""
    labels = np.array([0, 1] * 40)

    class Lucky(Fits):
        def __call__(self, half, number):
            return super().__call__(half, 0) * (1.0 if number == 0 else -5.0)

    heads = np.eye(2)[labels]
    fits = Lucky(labels)
    assert judged_by_halves(fits, heads, labels, seed=0, groups=None) is heads
    assert 2 == len(fits.left_out)


def test_one_group_alone_is_judged_by_heads():
    """Where all texts are nearly the same there is no half that could be learned from."""
    labels = np.array([0, 1] * 30)
    fits = Fits(labels)
    heads = np.zeros((60, 2))
    assert judged_by_halves(fits, heads, labels, seed=0, groups=np.zeros(60, dtype=int)) is heads
    assert [] == fits.left_out


def test_where_heads_foretell_better_they_judge_and_the_second_half_is_not_trained():
    """An encoder that says the opposite of every answer is one too many, and costs no more than its own training."""
    labels = np.array([0, 1] * 40)
    heads = np.eye(2)[labels]
    fits = Fits(labels, knows=False)
    assert judged_by_halves(fits, heads, labels, seed=0, groups=None) is heads
    assert 1 == len(fits.left_out)


def test_an_encoder_that_judges_has_not_learned_the_labels_it_judges(settings, many):
    """A fit trains on one half, on the other, and then on nine tenths of all: what the halves learned has nothing in
    common."""
    executor = Recording()
    trainer = TransformerTrainer(settings.model_copy(update=LONG), executor=executor)
    trainer.fit(weighed(*many), labels=LABELS, seed=0, on_step=quiet)
    first, second, last = executor.learned
    assert not (first & second).any()
    assert (first | second).all()
    assert round(0.9 * len(last)) == int(last.sum())


@pytest.mark.parametrize(
    ("cross_fit", "labelled", "on_cpu", "expected"),
    [
        ("auto", MOST_ON_CPU, True, True),
        ("auto", MOST_ON_CPU + 1, True, False),
        ("auto", MOST_ON_CPU + 1, False, True),
        ("encoder", MOST_ON_CPU + 1, True, True),
        ("encoder", FEWEST_TEXTS - 1, False, False),
        ("head", FEWEST_TEXTS, False, False),
    ],
)
def test_many_texts_are_judged_by_encoders_where_it_does_not_take_hours(cross_fit, labelled, on_cpu, expected):
    """On a CPU up to a number of texts, on a GPU always, of few never; who asks for one of the two gets it."""
    settings = StudentSettings(cross_fit=cross_fit)
    assert expected == is_worth_it(settings, labelled=labelled, on_cpu=on_cpu)


@pytest.mark.parametrize("why", ["head", "paper's split", "not judged", "labels as they are", "few"])
def test_where_heads_judge_no_half_is_trained(settings, many, why):
    """Whoever asks for heads, for the paper's split, for a student alone, or has few texts, gets one training: the
    judgement is that of heads."""
    texts, labels = many
    count = FEWEST_TEXTS - 1 if why == "few" else len(texts)
    data = weighed(texts[:count], labels[:count])
    asked = settings
    if why == "head":
        asked = settings.model_copy(update={"cross_fit": "head"})
    if why == "paper's split":
        asked = settings.model_copy(update={"clean_split": "mixture"})
    if why == "not judged":
        data = dataclasses.replace(data, judged=False)
    if why == "labels as they are":
        data = LabelledTexts(texts, labels.tolist())
    totals = set[int]()
    TransformerTrainer(asked).fit(data, labels=LABELS, seed=0, on_step=lambda _, total: totals.add(total))
    assert {1_000} == totals


def test_the_halves_are_told_as_progress(settings, many):
    """Three trainings are one count that only rises, in a third each, to its end."""
    seen = []
    TransformerTrainer(settings.model_copy(update=LONG)).fit(
        weighed(*many),
        labels=LABELS,
        seed=0,
        on_step=lambda done, total: seen.append((done, total)),
    )
    assert seen == sorted(seen)
    assert {3_000} == {total for _, total in seen}
    assert {1_000, 2_000, 3_000} <= {done for done, _ in seen}
