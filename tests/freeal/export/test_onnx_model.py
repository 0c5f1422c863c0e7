"""A classifier in ONNX says what it said, without torch."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from freeal.cli.command_line import main
from freeal.errors import CorruptModelError
from freeal.export.onnx_classifier import OnnxClassifier
from freeal.export.onnx_model import TOLERANCE, export_onnx
from freeal.settings import StudentSettings
from freeal.student.model_folder import load_student

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")
ROOT = Path(__file__).resolve().parents[3]
TEXTS = [
    "a",
    "a good thing",
    "bad " * 300,
    "x" * 200,
    "G\u00f6\u00f6d, bad: 100 %",
    *(f"number {row}" for row in range(70)),
]


@pytest.fixture(scope="module")
def exported(classifier, tmp_path_factory):
    """The small classifier in ONNX."""
    folder = tmp_path_factory.mktemp("onnx")
    export_onnx(classifier, folder)
    return folder


def test_its_probabilities_are_those_of_the_original(classifier, exported):
    """For texts of any length and any number of them at once, within a ten-thousandth."""
    student = load_student.load(classifier, settings=StudentSettings(precision="fp32", device="cpu"))
    model = OnnxClassifier(exported)
    for texts in (TEXTS[:1], TEXTS[:2], TEXTS):
        np.testing.assert_allclose(student.predict_proba(texts), model.predict_proba(texts), atol=TOLERANCE)
    assert student.labels == model.labels


def test_it_needs_neither_torch_nor_transformers(exported):
    """A fresh interpreter that classifies has loaded onnxruntime and tokenizers, and none of the others."""
    code = (
        "import sys; from pathlib import Path; from freeal.export.onnx_classifier import OnnxClassifier;"
        f"print(OnnxClassifier(Path({str(exported)!r})).predict_proba(['a good thing']).shape);"
        "print([name for name in ('torch', 'transformers', 'pandas', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ["(1, 2)", "[]"] == done.stdout.split("\n")[:2]


def test_the_lines_in_its_readme_run_without_this_project(exported):
    """Copied out of the folder they print a label for each text, with onnxruntime and tokenizers alone."""
    code = re.search(r"```python\n(.*?)```", (exported / "README.md").read_text(encoding="utf-8"), re.DOTALL)[1]
    code += "\nimport sys; print([name for name in ('freeal', 'torch', 'transformers') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=exported)
    labels, loaded = done.stdout.strip().split("\n")
    assert set(json.loads(labels.replace("'", '"'))) <= {"no", "y < es"}
    assert "[]" == loaded


def test_eight_bit_weights_are_smaller_and_their_loss_is_measured(classifier, exported, tmp_path):
    """What they do to labels and probabilities is told for the texts that are handed over, in the README too."""
    found = export_onnx(classifier, tmp_path / "small", int8=True, texts=TEXTS)
    assert found.bytes < (exported / "model.onnx").stat().st_size
    assert found.measured is not None
    plain, small = OnnxClassifier(exported), OnnxClassifier(tmp_path / "small")
    changed = (plain.predict_proba(TEXTS).argmax(axis=1) != small.predict_proba(TEXTS).argmax(axis=1)).mean()
    assert found.measured["labels_changed"] == pytest.approx(changed, abs=1e-6)
    assert 0.0 < found.measured["mean_difference"] <= found.measured["largest_difference"]
    assert f"of {len(TEXTS)} texts" in (tmp_path / "small" / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_command_prints_what_was_written(classifier, tmp_path, capsys):
    """Figures for people, one object for programs; without the model's rows, int8 is not measured and says so."""
    arguments = ["export", "onnx", str(classifier), "--output", str(tmp_path / "out"), "--int8"]
    assert 0 == main(arguments)
    assert "not measured" in capsys.readouterr().out
    assert 0 == main([*arguments, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert (["no", "y < es"], True, None) == (found["labels"], found["int8"], found["measured"])
    assert found["difference"] <= TOLERANCE


def test_a_folder_that_is_none_is_told(tmp_path):
    """What is missing is named."""
    with pytest.raises(CorruptModelError, match=r"model\.onnx: is missing"):
        OnnxClassifier(tmp_path)
    with pytest.raises(CorruptModelError, match=r"freeal\.json"):
        export_onnx(tmp_path, tmp_path / "out")
