"""What every way to train owes: the weights, losses and errors that one process comes to."""

from __future__ import annotations

import numpy as np
import pytest

from freeal.errors import TrainingError
from freeal.executors.ray_cluster import is_installed
from freeal.executors.training import ray_train_run
from freeal.executors.training.ray_train_worker import STATE, TrainingHome
from freeal.executors.training.ray_training import FOLDER, RayTraining
from freeal.executors.training.training_task import LocalTraining
from freeal.settings import RaySettings, StudentSettings
from freeal.student.finetune_trainer import TransformerTrainer
from freeal.student.labelled_texts import LabelledTexts
from freeal.testing.noted_training import NotedTraining

needs_ray = pytest.mark.skipif(not is_installed(), reason="Ray is not installed (extra `ray`)")
in_process = [pytest.mark.timeout(400), needs_ray]  # Ray Train itself takes long to import on a busy machine
on_a_cluster = [pytest.mark.slow, pytest.mark.timeout(1800), needs_ray]  # so do torch and Ray in each of its processes
TEXTS = [f"{'a good' if number % 2 else 'a bad'} film, number {number}" for number in range(110)]
LABELS = [number % 2 if number % 8 else 1 - number % 2 for number in range(110)]


class InProcess:
    """Ray Train's loop, reports and checkpoints without a cluster: `ScalingConfig(num_workers=0)`."""

    name = "ray"

    def __init__(self, folder):
        self.folder = folder

    def train(self, task, *, on_step):
        """See `TrainingExecutor.train`."""
        import pickle

        from freeal.executors.software_version import software_version

        home = TrainingHome(self.folder / "run")
        config = {"task": pickle.dumps(task), "home": home, "version": software_version()}
        result = ray_train_run.trainer_of_train_run(config, name="run", folder=self.folder, workers=0).fit()
        task.take(home.read(result.checkpoint.path))
        on_step(*home.progress())
        return 1


HERE = {"local": lambda folder: LocalTraining(), "in process": InProcess}
WORKERS = {"ray": 1, "ray, two workers": 2}


@pytest.fixture(
    params=[
        "local",
        pytest.param("in process", marks=in_process),
        pytest.param("ray", marks=on_a_cluster),
        pytest.param("ray, two workers", marks=on_a_cluster),
    ]
)
def executor(request, tmp_path):
    """Each of them."""
    if request.param in HERE:
        return HERE[request.param](tmp_path / "work")
    address, workers = request.getfixturevalue("two_workers"), WORKERS[request.param]
    return RayTraining(RaySettings(address=address, workers=workers), folder=tmp_path / "work")


@pytest.fixture(scope="module")
def settings(still):
    """The paper's split, whose losses are judged anew in each epoch, and mixup off: each process draws its own."""
    return StudentSettings(
        model=str(still),
        device="cpu",
        precision="fp32",
        epochs=3,
        batch_size=16,
        learning_rate=2e-3,
        max_length=32,
        clean_split="mixture",
        mixup=False,
    )


def _fit(settings, executor=None, seen=None):
    told = (lambda done, total: None) if seen is None else (lambda done, total: seen.append((done, total)))
    trainer = TransformerTrainer(settings, executor=executor)
    return trainer.fit(LabelledTexts(TEXTS, LABELS), labels=("bad", "good"), seed=0, on_step=told)


@pytest.fixture(scope="module")
def expected(settings):
    """What one process comes to."""
    return _fit(settings)


def test_every_executor_comes_to_what_one_process_comes_to(executor, settings, expected, tmp_path):
    """Probabilities, losses and features of each text, in its place: to the last bit with one worker; with two the sums
    are of another order, and what 24 steps make of that is less than 0.001. The count of steps only rises, and ends
    at its total."""
    seen = []
    found = _fit(settings, executor, seen)
    several = getattr(executor, "_settings", RaySettings(workers=1)).workers == 2
    np.testing.assert_allclose(found.proba, expected.proba, atol=1e-3 if several else 0, rtol=0)
    np.testing.assert_allclose(found.embeddings, expected.embeddings, atol=1e-3 if several else 0, rtol=0)
    np.testing.assert_array_equal(found.losses, expected.losses)
    assert sorted(seen) == seen
    assert {1_000} == {total for _, total in seen}
    assert (1_000, 1_000) == seen[-1]
    assert (executor.name, 2 if several else 1) == (found.engine, found.processes)
    assert not (tmp_path / "work" / FOLDER).exists()


@pytest.mark.parametrize("name", ["local", pytest.param("in process", marks=in_process)])
def test_an_error_of_the_training_is_the_callers(name, tmp_path):
    """It is said as it is said without any executor."""
    task = NotedTraining(tmp_path / "notes", fails_with=TrainingError("no", hint="give it more memory"))
    with pytest.raises(TrainingError, match=r"no \(give it more memory\)"):
        HERE[name](tmp_path / "work").train(task, on_step=lambda done, total: None)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@needs_ray
def test_an_error_of_the_training_ends_it_on_a_cluster_too(two_workers, tmp_path):
    """It is the caller's, and not taken for a lost worker: its training is not begun again."""
    task = NotedTraining(tmp_path / "notes", fails_with=TrainingError("no", hint="give it more memory"))
    training = RayTraining(RaySettings(address=two_workers, workers=1), folder=tmp_path / "work")
    with pytest.raises(TrainingError, match=r"no \(give it more memory\)"):
        training.train(task, on_step=lambda done, total: None)
    assert ["0 of 1"] == task.begun()


def test_checkpoints_are_whole_and_apart(tmp_path):
    """What one epoch keeps does not touch what another has kept."""
    home = TrainingHome(tmp_path)
    first, second = home.keep(b"one", 1), home.keep(b"two", 2)
    assert (b"one", b"two") == (home.read(first), home.read(second))
    assert {STATE} == {file.name for folder in (first, second) for file in (tmp_path / folder).iterdir()}
