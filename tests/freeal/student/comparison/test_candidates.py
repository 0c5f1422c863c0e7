"""Which students there are to choose from, and what a text costs each of them."""

from __future__ import annotations

import json
import shutil

import pytest

from freeal.errors import ConfigError
from freeal.settings import StudentSettings
from freeal.student.comparison import candidates
from freeal.student.comparison.comparing_trainer import ComparingTrainer
from freeal.student.encoder import locate_encoder
from freeal.student.trainer_factory import make_trainer


@pytest.fixture
def cache(tmp_path, monkeypatch, encoder_folder):
    """A hub cache with an encoder, something that is none, and half a download."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    for name, kind in (("someone--encoder", None), ("someone--decoder", "gpt2"), ("someone--half", None)):
        folder = tmp_path / f"models--{name}"
        shutil.copytree(encoder_folder, folder / "snapshots" / "abc")
        (folder / "refs").mkdir()
        (folder / "refs" / "main").write_text("abc")
        config = folder / "snapshots" / "abc" / "config.json"
        if kind:
            config.write_text(config.read_text().replace('"model_type": "bert"', f'"model_type": "{kind}"'))
    for file in (tmp_path / "models--someone--half" / "snapshots" / "abc").glob("*.safetensors"):
        file.unlink()
    return tmp_path


def test_compare_takes_what_is_at_hand(cache):
    """The packaged encoder, words, and whole encoders in the cache; nothing is fetched for it."""
    names = candidates.named_candidates(StudentSettings(model="compare"))
    packaged = ["minilm"] if locate_encoder.packaged_weights() else []
    assert [*packaged, "tfidf", "someone/encoder"] == list(names)


def test_work_is_counted_in_the_layers_alone(encoder_folder):
    """Embeddings are looked up, whatever their number; the packaged encoder's work is 1 by definition."""
    tiny = candidates.candidate(str(encoder_folder))
    assert 0.0 < tiny.work < 0.1
    assert tiny.size_bytes > 4 * tiny.work * candidates.PACKAGED_LAYER_WEIGHTS
    if locate_encoder.packaged_weights():
        assert pytest.approx(1.0, abs=0.02) == candidates.candidate("minilm").work
    assert tiny.work == candidates.expected_work(str(encoder_folder))


def test_layers_that_share_their_weights_count_each(tmp_path, encoder_folder):
    """A text passes through all of them, however small the file is."""
    own = candidates.expected_work(str(encoder_folder))
    shutil.copytree(encoder_folder, tmp_path / "shared")
    config = tmp_path / "shared" / "config.json"
    told = json.loads(config.read_text()) | {"model_type": "albert", "num_hidden_layers": 12, "num_hidden_groups": 1}
    config.write_text(json.dumps(told))
    assert pytest.approx(12 * own) == candidates.expected_work(str(tmp_path / "shared"))


@pytest.mark.parametrize("content", [b"", b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n"])
def test_weights_that_are_none_are_named_or_not_at_hand(cache, content):
    """A pointer of git-lfs, or an empty file, under the name of the weights: in the cache it is passed over."""
    folder = cache / "models--someone--encoder" / "snapshots" / "abc"
    for file in folder.glob("*.safetensors"):
        file.write_bytes(content)
    assert "someone/encoder" not in candidates.named_candidates(StudentSettings(model="compare"))
    assert candidates.UNKNOWN_WORK == candidates.expected_work(str(folder))
    with pytest.raises(ConfigError, match=r"model\.safetensors cannot be read"):
        make_trainer(StudentSettings(model=["tfidf", str(folder)], device="cpu"), texts=10)


def test_what_auto_stands_for_is_expected_where_it_is_at_hand(cache):
    """An estimate of the packaged encoder would be of another student."""
    (cache / "models--someone--encoder").rename(cache / f"models--{locate_encoder.PREFERRED.replace('/', '--')}")
    assert candidates.expected_work("auto") == candidates.expected_work(locate_encoder.PREFERRED) < 0.1


def test_a_list_makes_a_trainer_that_compares_and_one_name_makes_its_own(encoder_folder):
    """The order is kept, and who asks for one gets no other."""
    settings = StudentSettings(model=["tfidf", str(encoder_folder)], device="cpu", mode="frozen")
    trainer = make_trainer(settings, texts=10)
    assert isinstance(trainer, ComparingTrainer)
    assert ["tfidf", str(encoder_folder)] == [one["name"] for one in trainer.candidates]
    alone = make_trainer(settings.model_copy(update={"model": "tfidf"}), texts=10)
    assert {"model": "tfidf", "mode": "tfidf", "device": "cpu"} == alone.description


def test_what_cannot_be_had_is_named_before_anything_is_asked():
    """An entry that is no folder, and a warm start that would have to be several."""
    with pytest.raises(ConfigError, match=r"there is no folder '\./nowhere'"):
        make_trainer(StudentSettings(model=["tfidf", "./nowhere"], device="cpu"), texts=10)
    with pytest.raises(ConfigError, match="warm_start goes on from one encoder"):
        make_trainer(StudentSettings(model=["tfidf", "minilm"], warm_start=True), texts=10)


def test_a_list_of_one_is_that_one():
    """Nobody has to know the difference."""
    assert StudentSettings(model="minilm") == StudentSettings(model=["minilm"])


@pytest.mark.parametrize("model", ["tfidf", "compare", ["minilm", "tfidf"]])
def test_texts_of_several_labels_take_one_encoder(model):
    """What is not built for them is refused before anything is asked."""
    with pytest.raises(ConfigError, match="for texts of one label, not for kind: multi"):
        make_trainer(StudentSettings(model=model, device="cpu"), texts=10, kind="multi")


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        ([], "names 0 students"),
        (["a", "b", "c", "d", "e"], "names 5 students"),
        (["minilm", "minilm"], "names 'minilm' twice"),
        (["minilm", "compare"], "compare stands for a list of its own"),
        (["minilm", 3], "must be the name of a student, found 3"),
        ({"a": 1}, "must be a name or a list of names"),
        ("", "names no student"),
    ],
)
def test_settings_refuse_what_names_no_choice(model, problem):
    """Each with what is wrong with it."""
    with pytest.raises(ValueError, match=problem):
        StudentSettings(model=model)
