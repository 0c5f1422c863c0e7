"""What a cluster may do to a training: workers and nodes that end, one that is not there, and who may reach it."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path

import numpy as np
import pytest

from freeal.errors import ConfigError
from freeal.executors.ray_cluster import is_installed
from freeal.executors.training.ray_training import RayTraining
from freeal.settings import RaySettings, StudentSettings
from freeal.student.finetune_trainer import TransformerTrainer
from freeal.student.labelled_texts import LabelledTexts
from freeal.testing.noted_training import NotedTraining
from freeal.testing.training_processes import train_together

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),  # two or three trainings, each on a cluster of its own
    pytest.mark.skipif(not is_installed(), reason="Ray is not installed (extra `ray`)"),
]
TEXTS = [f"{'a good' if number % 2 else 'a bad'} film, number {number}" for number in range(110)]
LABELS = [number % 2 if number % 8 else 1 - number % 2 for number in range(110)]


@dataclasses.dataclass
class Noted:
    """A `TrainingExecutor` whose trainings are noted, and may lose a process."""

    inner: RayTraining
    notes: Path
    dies_after: float | None = None
    seconds: float = 0.0

    name = "ray"

    def train(self, task, *, on_step):
        """See `TrainingExecutor.train`."""
        self.task = NotedTraining(self.notes, task, dies_after=self.dies_after, seconds=self.seconds)
        return self.inner.train(self.task, on_step=on_step)


@dataclasses.dataclass
class Together:
    """A `TrainingExecutor` of two processes without a cluster."""

    folder: Path

    name = "local"

    def train(self, task, *, on_step):
        """See `TrainingExecutor.train`."""
        task.take(train_together(task, self.folder, size=2)[0])
        on_step(1, 1)
        return 2


@pytest.fixture
def fit(encoder_folder):
    """A student of a few texts, with dropout and mixup, by an executor."""
    settings = StudentSettings(
        model=str(encoder_folder), device="cpu", precision="fp32", epochs=4, batch_size=16, learning_rate=2e-3
    )

    def fitted(executor, on_step=lambda done, total: None):
        trainer = TransformerTrainer(settings, executor=executor)
        return trainer.fit(LabelledTexts(TEXTS, LABELS), labels=("bad", "good"), seed=0, on_step=on_step)

    return fitted


def test_a_worker_that_is_killed_costs_the_epoch_it_was_in(fit, tmp_path):
    """Both begin again where the last epoch has ended, and come to what they would have come to, bit for bit. Ray asks
    every two seconds what was kept, so that an epoch takes longer here."""
    ray = RayTraining(RaySettings(workers=2), folder=tmp_path / "cut")
    cut = Noted(ray, tmp_path / "notes", dies_after=0.72, seconds=0.6)
    found = fit(cut)
    begun = cut.task.begun()
    assert 2 == begun.count("0 of 2") == begun.count("1 of 2")
    first, again = (float(line.split()[-1]) for line in begun if line.startswith("0 begins"))
    assert first < 0.1
    assert 0.5 <= again < 0.6
    np.testing.assert_array_equal(fit(Together(tmp_path / "together")).proba, found.proba)


def test_a_training_that_was_stopped_goes_on_from_its_last_epoch(fit, tmp_path, of_clusters):
    """The next process finds the checkpoints in its folder; the cluster it had ends with it."""

    class StopError(Exception):
        """Somebody wants it to end."""

    def stop(done, total):
        if done > 0.72 * total:
            raise StopError

    executor = Noted(RayTraining(RaySettings(workers=1), folder=tmp_path / "work"), tmp_path / "notes", seconds=0.6)
    before = of_clusters()
    with pytest.raises(StopError):
        fit(executor, stop)
    assert set() == of_clusters() - before
    found = fit(executor)
    _, again = (float(line.split()[-1]) for line in executor.task.begun() if line.startswith("0 begins"))
    assert 0.5 <= again
    np.testing.assert_array_equal(fit(None).proba, found.proba)


def test_a_machine_that_is_lost_leaves_the_training_to_the_others(fit, tmp_path, cluster):
    """Where there is no room any more for as many workers as there were, fewer go on from the last epoch."""
    killed = threading.Event()
    with cluster(workers=2) as (address, kill):

        def on_step(done, total):
            if done > 0.3 * total and not killed.is_set():
                killed.set()
                kill()

        ray = RayTraining(RaySettings(address=address), folder=tmp_path / "work")
        executor = Noted(ray, tmp_path / "notes", seconds=0.6)
        found = fit(executor, on_step)
    assert "0 of 2" in executor.task.begun()
    assert "0 of 1" in executor.task.begun()
    assert 0.7 < (found.proba.argmax(axis=1) == np.arange(110) % 2).mean()


def test_a_training_listens_on_the_loopback_alone(fit, tmp_path, listening, beyond_loopback):
    """While two workers train, none of the sockets that came is bound to another address."""
    before, found = listening(), set()
    fit(
        RayTraining(RaySettings(workers=2), folder=tmp_path / "work"),
        lambda done, total: found.update(listening() - before),
    )
    assert found
    assert set() == beyond_loopback(found)


def test_no_cluster_at_the_address_is_said_with_the_key(fit, tmp_path):
    """Nothing waits for ever for one that is not there."""
    with pytest.raises(ConfigError, match=r"ray\.address.*no Ray cluster that answers"):
        fit(RayTraining(RaySettings(address="127.0.0.1:1"), folder=tmp_path / "work"))
