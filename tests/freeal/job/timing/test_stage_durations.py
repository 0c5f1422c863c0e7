"""How long the parts of a job take, before anything of it is measured."""

from __future__ import annotations

import pytest

from freeal.job.timing.stage_durations import HEAD_SECONDS, comparison_seconds, training_seconds
from freeal.settings import StudentSettings

ONE = StudentSettings(model="minilm", mode="finetune", epochs=4)


@pytest.mark.parametrize(
    ("cross_fit", "texts", "names_only", "twice"),
    [
        ("auto", 1_000, True, True),
        ("auto", 1_000, False, False),
        ("head", 1_000, True, False),
        ("auto", 100, True, False),
    ],
)
def test_labels_that_encoders_may_judge_take_up_to_twice_the_training(cross_fit, texts, names_only, twice):
    """Least and most differ by the fine-tuning of two halves, where answers are labels alone and there are enough."""
    settings = ONE.model_copy(update={"cross_fit": cross_fit})
    least, most = training_seconds(settings, texts=texts, on_gpu=False, names_only=names_only)
    reading = training_seconds(
        settings.model_copy(update={"mode": "frozen"}), texts=texts, on_gpu=False, names_only=False
    )[0]
    fine_tuning = least - HEAD_SECONDS - 2 * (reading - HEAD_SECONDS)
    assert pytest.approx(least + (fine_tuning if twice else 0.0)) == most


def test_students_that_are_compared_are_judged_by_heads():
    """The choice among several takes as long whoever judges the labels later."""
    of = [
        comparison_seconds(
            StudentSettings(model=("minilm", "tfidf"), mode="finetune", cross_fit=way), texts=5_000, on_gpu=False
        )
        for way in ("head", "encoder")
    ]
    assert 0.0 < of[0] == of[1]
