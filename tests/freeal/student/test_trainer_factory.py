"""Which weights, which device, which trainer; and what is said when there are none."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from freeal.compute import device
from freeal.compute.listener import Listener
from freeal.errors import ConfigError
from freeal.evaluation.metrics import calibration_error
from freeal.executors import ray_cluster
from freeal.settings import RaySettings, StudentSettings
from freeal.student.encoder import locate_encoder
from freeal.student.trainer_factory import FROZEN_FROM_TEXTS, choose_mode, make_trainer
from freeal.student.training import linear_probe, temperature_scaling
from freeal.student.training.robust_probe import robust_probe
from freeal.testing.tiny_encoder import tiny_encoder


def test_a_folder_is_taken_as_it_is(encoder_folder):
    """A local folder with config and safetensors is used, under its own name."""
    found = locate_encoder.resolve_weights(str(encoder_folder))
    assert (encoder_folder, encoder_folder.name) == (found.folder, found.name)


@pytest.mark.parametrize(("missing", "said"), [("config.json", "config.json"), ("model.safetensors", "safetensors")])
def test_an_incomplete_folder_is_refused(tmp_path, missing, said):
    """A folder without config or without safetensors is an error that names what is missing."""
    tiny_encoder(tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(ConfigError, match=said):
        locate_encoder.resolve_weights(str(tmp_path))


def test_a_folder_that_is_not_there(tmp_path):
    """A path that does not exist is not asked for at the hub."""
    with pytest.raises(ConfigError, match="no folder"):
        locate_encoder.resolve_weights(str(tmp_path / "nothing"))


@pytest.mark.parametrize("model", ["nobody-at-all/no-such-encoder", "not a valid id!"])
def test_unknown_names_offline(model):
    """Without the hub an unknown name is a ConfigError, quickly, that offers the packaged encoder."""
    code = f"from freeal.student.encoder import locate_encoder; locate_encoder.resolve_weights({model!r})"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"HF_HUB_OFFLINE": "1", "PATH": "", "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "freeal.errors.ConfigError: student.model" in done.stderr
    assert repr(model) in done.stderr


@pytest.mark.skipif(locate_encoder.packaged_weights() is None, reason="the packaged encoder is not installed")
def test_auto_falls_back_to_the_packaged_encoder():
    """Offline and with an empty cache, `auto` is the packaged encoder."""
    code = "from freeal.student.encoder import locate_encoder; print(locate_encoder.resolve_weights('auto').name)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"HF_HUB_OFFLINE": "1", "PATH": "", "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "minilm" == done.stdout.strip()


def test_importing_the_contracts_loads_nothing_heavy():
    """Selection, contract, card, factory and weights import neither torch nor scikit-learn nor transformers."""
    code = (
        "import sys; from freeal.student import protocols, trainer_factory; "
        "from freeal.student.encoder import locate_encoder; from freeal.student.training import hyperparameters; "
        "from freeal.student.model_folder import load_student, student_metadata, text_classifier; "
        "from freeal.selection import clean_split, demonstration_retrieval, demonstration_selection; "
        "import freeal.testing.tiny_encoder; "
        "print({'torch', 'sklearn', 'transformers', 'kmedoids'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "set()" == done.stdout.strip()


def test_devices_that_are_not_there():
    """A device that does not exist, or not here, is an error that says what to use."""
    with pytest.raises(ConfigError, match="no device"):
        device.choose(StudentSettings(device="gramophone"))
    with pytest.raises(ConfigError, match="not on this machine"):
        device.choose(StudentSettings(device="cuda:63"))
    assert "cpu fp32" == str(device.choose(StudentSettings(device="cpu", precision="fp32")))
    assert "cpu bf16" == str(device.choose(StudentSettings(device="cpu", precision="bf16")))


def test_modes(settings):
    """`auto` fine-tunes unless a CPU would take hours; a mode that is set is obeyed; the factory follows."""
    auto = StudentSettings()
    assert "finetune" == choose_mode(auto, texts=FROZEN_FROM_TEXTS, on_cpu=True)
    assert "frozen" == choose_mode(auto, texts=FROZEN_FROM_TEXTS + 1, on_cpu=True)
    assert "finetune" == choose_mode(auto, texts=10**6, on_cpu=False)
    assert "finetune" == choose_mode(StudentSettings(mode="finetune"), texts=10**6, on_cpu=True)
    for mode in ("frozen", "finetune"):
        trainer = make_trainer(settings.model_copy(update={"mode": mode}), texts=10)
        assert {"model": settings.model.rpartition("/")[2], "mode": mode, "device": "cpu fp32"} == trainer.description


def test_settings_without_effect_are_named(settings):
    """A frozen student says which of the settings that somebody changed it does not know, and how to use them."""
    told: list[str] = []
    changed = StudentSettings(model=settings.model, device="cpu", epochs=3, mixup=False)
    for mode in ("frozen", "finetune"):
        make_trainer(changed.model_copy(update={"mode": mode}), texts=10, listener=Listener(on_notice=told.append))
    assert [
        "the student is frozen: student.epochs, student.mixup have no effect; student.mode: finetune uses them"
    ] == told


def test_the_engine_of_fine_tuning_is_told_with_its_reason(settings):
    """Where a cluster is named; where none is, nothing is said, and this process trains."""
    told: list[str] = []
    for asked, ray, texts in (
        ("auto", RaySettings(), 10**6),
        ("auto", RaySettings(address="head:6379"), 4_999),
        ("local", RaySettings(address="head:6379"), 10**6),
    ):
        student = settings.model_copy(update={"mode": "finetune", "engine": asked})
        trainer = make_trainer(student, texts=texts, listener=Listener(on_notice=told.append), ray=ray)
        assert "local" == trainer._executor.name
    assert [
        "the student: engine local: 4,999 texts are fewer than student.ray_from_texts (5,000)",
        "the student: engine local: student.engine says so",
    ] == told


def test_fine_tuning_over_ray_without_ray_is_an_error_with_its_key(settings, monkeypatch):
    """Nothing has begun by then; it says what to install."""
    monkeypatch.setattr(ray_cluster, "is_installed", lambda: False)
    student = settings.model_copy(update={"mode": "finetune", "engine": "ray"})
    with pytest.raises(ConfigError, match=r"student\.engine.*Ray is not installed.*freeal-daemon\[ray\]"):
        make_trainer(student, texts=10, ray=RaySettings())


def test_an_address_that_cannot_work_is_an_error_with_its_key(settings, monkeypatch):
    """Ray's client server sees none of this machine's files."""
    monkeypatch.setattr(ray_cluster, "is_installed", lambda: True)
    student = settings.model_copy(update={"mode": "finetune", "engine": "ray"})
    with pytest.raises(ConfigError, match=r"ray\.address.*ray://head:10001"):
        make_trainer(student, texts=10, ray=RaySettings(address="ray://head:10001"))


def test_a_large_pool_goes_to_the_cluster_that_is_named(settings, monkeypatch, tmp_path):
    """From `student.ray_from_texts` on, with the reason."""
    monkeypatch.setattr(ray_cluster, "is_installed", lambda: True)
    told: list[str] = []
    student = settings.model_copy(update={"mode": "finetune", "ray_from_texts": 10})
    trainer = make_trainer(
        student,
        texts=10,
        listener=Listener(on_notice=told.append),
        ray=RaySettings(address="head:6379"),
        scratch=tmp_path,
    )
    assert "ray" == trainer._executor.name
    assert ["the student: engine ray: 10 texts, from student.ray_from_texts (10) on"] == told


@pytest.mark.parametrize(("mode", "kind"), [("frozen", "single"), ("auto", "multi")])
def test_a_frozen_student_is_not_distributed_and_says_so(settings, mode, kind):
    """No cluster is needed for what does not go there."""
    told: list[str] = []
    student = StudentSettings(model=settings.model, device="cpu", mode=mode, engine="ray")
    make_trainer(student, texts=10, kind=kind, listener=Listener(on_notice=told.append), ray=RaySettings())
    assert 1 == len(told)
    assert "student.engine" in told[0]


def sampled(*, temperature: float, noise: float, count: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits too large by `temperature`, true labels drawn from the calibrated ones, and those labels with noise."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(count, 3)) * 2
    proba = linear_probe.softmax(logits)
    truth = (proba.cumsum(axis=1) > rng.random(count)[:, None]).argmax(axis=1)
    noisy = np.where(rng.random(count) < noise, (truth + rng.integers(1, 3, count)) % 3, truth)
    return logits * temperature, truth, noisy


@pytest.mark.parametrize("noise", [0.0, 0.25])
@pytest.mark.parametrize("temperature", [0.6, 1.0, 2.5])
def test_temperature_is_found_in_spite_of_noise(temperature, noise):
    """With a quarter of the labels wrong, the fitted temperature is still the one of the true labels."""
    logits, truth, noisy = sampled(temperature=temperature, noise=noise)
    found = temperature_scaling.temperature(logits, noisy)
    assert pytest.approx(temperature, rel=0.15) == found
    proba = linear_probe.softmax(logits / found)
    assert 0.04 > calibration_error(proba.max(axis=1), proba.argmax(axis=1) == truth)


def test_few_texts_do_not_decide_the_temperature():
    """No text leaves logits as they are; two texts move the temperature little from its prior."""
    assert 1.0 == temperature_scaling.temperature(np.empty((0, 2)), np.empty(0, dtype=int))
    few = temperature_scaling.temperature(np.array([[9.0, 0.0], [0.0, 9.0]]), np.array([1, 0]))
    assert 0.5 < few < 3.0


def test_probe_on_separable_features_and_absent_labels():
    """A linear head separates what can be separated, and a label that never occurs never wins."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 2], 40)
    features = rng.normal(size=(80, 6)) + np.where(labels == 0, -2.0, 2.0)[:, None]
    head = linear_probe.fit_probe(features, labels, labels=3, seed=0)
    assert (labels == (features @ head.weight.T + head.bias).argmax(axis=1)).all()
    assert 0.95 < (labels == head.held_out.argmax(axis=1)).mean()
    assert (80, 3) == head.held_out.shape


def test_class_biased_errors_do_not_let_one_label_take_over():
    """Two of five texts of one label carry the other: a head that trusts both labels alike gives it 0.60 of the texts
    on average, one that trusts by the split alone 0.68."""
    shares = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        truth = np.arange(300) % 2
        features = rng.normal(size=(300, 16)).astype(np.float32)
        features[:, 0] += 1.2 * (2 * truth - 1)
        noisy = np.where((rng.random(300) < 0.4) & (truth == 0), 1, truth)
        head = robust_probe(features, noisy, labels=2, seed=0)
        shares.append((features @ head.weight.T + head.bias).argmax(axis=1).mean())
    assert 0.64 > np.mean(shares)
