"""A finished run with rows of every kind, and a small trained classifier."""

from __future__ import annotations

import pandas as pd
import pytest

import freeal
from freeal.settings import StudentSettings
from freeal.student.model_folder import student_metadata
from freeal.student.trainer_factory import make_trainer
from freeal.testing.scripted_model import ScriptedModel, text_of
from freeal.testing.tiny_student import TinyTrainer
from freeal.testing.weighed_labels import weighed

TEXTS = [f"a {'good' if row % 2 else 'bad'} thing, number {row}" for row in range(40)]


@pytest.fixture(scope="session")
def classifier(tmp_path_factory, encoder_folder):
    """A folder with a two-layer BERT classifier, trained on true labels."""
    trainer = make_trainer(StudentSettings(model=str(encoder_folder), mode="frozen"), texts=len(TEXTS))
    data = weighed(TEXTS, [row % 2 for row in range(40)])
    training = trainer.fit(data, labels=("no", "y < es"), seed=0, on_step=lambda done, total: None)
    folder = tmp_path_factory.mktemp("classifier")
    training.student.save(folder)
    student_metadata.add_extra(folder, {"text_columns": ["text"]})
    return folder


@pytest.fixture(scope="module")
def version(tmp_path_factory):
    """A run on texts with commas, line breaks, `NA`, nothing at all, and a true label in some rows."""
    folder = tmp_path_factory.mktemp("run")
    frame = pd.DataFrame(
        {
            "id": ["007", "NA", "null", "4", "5", "6"],
            "text": ['good, "very" good', "bad\r\nand long", "NA", "", "good <b>", "bad"],
            "truth": ["yes", "no", "", "yes", "no", ""],
        }
    )
    spec = {
        "name": "mails",
        "description": "Is it <good> & well?",
        "labels": {"yes": "it is good", "no": ""},
        "text_columns": ["text"],
        "id_column": "id",
        "label_column": "truth",
        "iterations": 1,
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        model = ScriptedModel(lambda prompt: "yes" if "good" in text_of(prompt.specific) else "no")
        return freeal.run(frame, spec, folder=folder / "run", llm=model, student=TinyTrainer()).wait().folder
