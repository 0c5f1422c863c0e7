"""A saved student is an ordinary Hugging Face folder, comes back the same, and tells what is wrong with it."""

from __future__ import annotations

import contextlib
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from freeal.errors import CorruptModelError, ModelFolderError, NewerFormatError
from freeal.student.finetune_trainer import TransformerTrainer
from freeal.student.frozen_trainer import FrozenTrainer
from freeal.student.labelled_texts import LabelledTexts
from freeal.student.model_folder import load_student, student_metadata
from freeal.student.protocols import Training

LABELS = ("good", "bad: very", "Ünknown")


@pytest.fixture(scope="module", params=[FrozenTrainer, TransformerTrainer], ids=["frozen", "finetune"])
def training(request, settings, pool) -> Training:
    """A student of either kind."""
    return request.param(settings).fit(
        LabelledTexts(pool[0], pool[1]), labels=LABELS, seed=0, on_step=lambda done, total: None
    )


@pytest.fixture
def saved(training, tmp_path) -> Path:
    """Its folder."""
    training.student.save(tmp_path)
    return tmp_path


def test_a_plain_pipeline_gives_the_same_answers(training, saved, pool):
    """transformers alone, without a line of ours, gives the calibrated probabilities under the labels' names."""
    from transformers import pipeline
    from transformers.utils import logging

    logging.disable_progress_bar()
    texts = [*pool[0][:20], "a text never seen before"]
    answers = pipeline("text-classification", str(saved), device="cpu")(texts, top_k=None, truncation=True)
    ours = training.student.predict_proba(texts)
    for row, answer in zip(ours, answers, strict=True):
        scores = {one["label"]: one["score"] for one in answer}
        np.testing.assert_allclose([scores[label] for label in LABELS], row, atol=1e-5)


def test_round_trip(training, saved, settings, pool):
    """What is loaded answers as what was saved, and carries its record."""
    student = load_student.load(saved, settings=settings)
    assert training.student.labels == student.labels
    assert training.student.card == student.card
    np.testing.assert_allclose(student.predict_proba(pool[0]), training.student.predict_proba(pool[0]), atol=1e-6)
    np.testing.assert_allclose(student.embed(pool[0]), training.student.embed(pool[0]), atol=1e-5)


def test_order_and_duplicates(training, pool):
    """Rows come back in the order given, whatever their lengths; identical texts get identical answers."""
    texts = [*pool[0][:9], "good", pool[0][0], " ".join(pool[0][:9])]
    together = training.student.predict_proba(texts)
    alone = np.concatenate([training.student.predict_proba([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_array_equal(together[0], together[10])
    assert (0, 3) == training.student.predict_proba([]).shape


def test_only_safetensors_in_float32(saved):
    """Nothing pickled is written, and weights are float32 whatever training computed in."""
    from safetensors import safe_open

    assert [] == [path.name for path in saved.iterdir() if path.suffix in {".bin", ".pt", ".pkl", ".py"}]
    with safe_open(saved / "model.safetensors", framework="np") as weights:
        assert {"F32"} == {weights.get_slice(name).get_dtype() for name in weights.keys()}  # noqa: SIM118 - not a dict


def test_extra_is_the_callers(saved):
    """What the caller adds to the record comes back, and what was there stays."""
    student_metadata.add_extra(saved, {"text_columns": ["title", "body"]})
    student_metadata.add_extra(saved, {"job": "j1"})
    assert {"text_columns": ["title", "body"], "job": "j1"} == student_metadata.read_card(saved).extra
    assert LABELS == load_student.load(saved).labels


@pytest.mark.parametrize("name", ["freeal.json", "config.json", "model.safetensors", "tokenizer.json"])
@pytest.mark.parametrize("harm", ["missing", "damaged"])
def test_a_broken_folder_names_the_file(saved, name, harm):
    """A missing or damaged file is a CorruptModelError that names file or folder and says what to do."""
    if harm == "missing":
        (saved / name).unlink()
    else:
        (saved / name).write_bytes((saved / name).read_bytes()[:40])
    with pytest.raises(CorruptModelError, match="train the model again") as caught:
        load_student.load(saved)
    assert str(saved) in str(caught.value)


def test_a_later_format_is_another_error(saved):
    """A folder of a later version is not called corrupt."""
    content = json.loads((saved / "freeal.json").read_text(encoding="utf-8"))
    (saved / "freeal.json").write_text(json.dumps(content | {"schema_version": 99}), encoding="utf-8")
    with pytest.raises(NewerFormatError, match="schema_version 99"):
        load_student.load(saved)


@pytest.mark.parametrize(
    ("change", "problem"),
    [({"labels": []}, "labels"), ({"temperature": "hot"}, "temperature"), ({"labels": ["a", "b", "c"]}, "differ")],
)
def test_contradictions_are_found(saved, change, problem):
    """Labels that differ from the config's and values of the wrong kind are refused, naming the key."""
    content = json.loads((saved / "freeal.json").read_text(encoding="utf-8"))
    (saved / "freeal.json").write_text(json.dumps(content | change), encoding="utf-8")
    with pytest.raises(CorruptModelError, match=problem):
        load_student.load(saved)


def test_a_model_without_weights_for_its_head_is_corrupt(saved):
    """A checkpoint that lacks tensors is not completed with random ones."""
    from safetensors.numpy import load_file, save_file

    tensors = load_file(saved / "model.safetensors")
    save_file(
        {name: tensor for name, tensor in tensors.items() if "classifier" not in name},
        saved / "model.safetensors",
        metadata={"format": "pt"},
    )
    with pytest.raises(CorruptModelError, match="classifier"):
        load_student.load(saved)


def test_saving_where_nothing_can_be_written(training, tmp_path):
    """A folder that is a file is an error of ours."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ModelFolderError, match="cannot be written"):
        training.student.save(tmp_path / "file")


def test_whoever_may_read_the_folder_may_read_the_weights(training, tmp_path):
    """safetensors writes for the owner alone; a model is made to be used by others."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o750)
    training.student.save(folder)
    assert 0o640 == (folder / "model.safetensors").stat().st_mode & 0o777


class _Payload:
    def __reduce__(self):
        return (Path.touch, (Path("executed"),))


@pytest.mark.parametrize("name", ["pytorch_model.bin", "training_args.bin", "model.pt", "tokenizer.pkl", "modeling.py"])
def test_a_folder_with_code_in_it_is_refused_unread(saved, monkeypatch, name):
    """A pickle beside the weights, or in their place, or a module: named in the error, never opened."""
    monkeypatch.chdir(saved.parent)
    (saved / name).write_bytes(pickle.dumps(_Payload()))
    for _ in ("beside", "in their place"):
        with pytest.raises(CorruptModelError) as caught:
            load_student.load(saved)
        assert caught.value.where.file in {saved / name, saved / "model.safetensors"}
        (saved / "model.safetensors").unlink(missing_ok=True)
    assert not Path("executed").exists()


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("config.json", "auto_map", {"AutoModelForSequenceClassification": "evil.Evil"}),
        ("config.json", "auto_map", {"AutoConfig": "somebody/repository--evil.Evil"}),
        ("config.json", "transformers_weights", "../../other.safetensors"),
        ("config.json", "quantization_config", {"quant_method": "custom"}),
        ("tokenizer_config.json", "auto_map", {"AutoTokenizer": ["evil.Evil", None]}),
    ],
)
def test_a_folder_that_asks_for_code_is_refused(saved, name, key, value):
    """The key by which it asks is named; nothing of it is imported."""
    content = json.loads((saved / name).read_text())
    (saved / name).write_text(json.dumps(content | {key: value}))
    (saved.parent / "evil.py").write_text("raise SystemExit('executed')\n")
    with pytest.raises(CorruptModelError, match="names code to be run") as caught:
        load_student.load(saved)
    assert (saved / name, key) == (caught.value.where.file, caught.value.where.key)


def test_an_unknown_tokenizer_class_is_no_reason_to_run_anything(saved):
    """A class nobody knows is either ignored or an error of ours; the folder's own module is not looked for."""
    content = json.loads((saved / "tokenizer_config.json").read_text())
    (saved / "tokenizer_config.json").write_text(json.dumps(content | {"tokenizer_class": "EvilTokenizer"}))
    with contextlib.suppress(CorruptModelError):
        assert LABELS == load_student.load(saved).labels
