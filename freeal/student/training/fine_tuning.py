"""A robust run as a task: for this process, or to be sent to several that do it together."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from freeal.compute import device
from freeal.compute.batch_halving import Room
from freeal.compute.listener import OnStep
from freeal.compute.process_group import ProcessGroup
from freeal.compute.quiet_transformers import quiet_transformers
from freeal.executors.training.training_task import Checkpoints
from freeal.settings import LongTexts, StudentSettings
from freeal.student.encoder.encoder import Encoder, read_encoder_folder
from freeal.student.training import training_state
from freeal.student.training.hyperparameters import Recipe
from freeal.student.training.label_trust import Pool
from freeal.student.training.robust_training import RobustTraining, trained_weights


@dataclasses.dataclass
class FineTuning:
    """A `TrainingTask`: `encoder`, its head set, on a pool. `rng` draws the order of texts, `seed` the dropout.

    Pickled it holds the encoder as the files of a model folder, and how many texts fit into memory here as far as is
    known; where it arrives, `settings` choose device and precision.
    """

    encoder: Encoder
    pool: Pool
    recipe: Recipe
    rng: np.random.Generator
    seed: int
    settings: StudentSettings

    @property
    def identity(self) -> str:
        """A digest of weights, pool, recipe, and the random numbers to come."""
        found = hashlib.sha256(repr((self.recipe, self.seed, self.pool.threshold)).encode())
        found.update(json.dumps(self.rng.bit_generator.state).encode())
        for name, weight in self.encoder.model.state_dict().items():
            found.update(name.encode() + weight.cpu().numpy().tobytes())
        for field in dataclasses.fields(self.pool):
            value = getattr(self.pool, field.name)
            told = (
                np.ascontiguousarray(value).tobytes() if isinstance(value, np.ndarray) else json.dumps(value).encode()
            )
            found.update(field.name.encode() + told)
        return found.hexdigest()

    @property
    def most_processes(self) -> int:
        """One for each text of a batch."""
        return self.recipe.batch_size

    def run(self, group: ProcessGroup, checkpoints: Checkpoints | None, on_step: OnStep) -> None:
        """See `TrainingTask.run`."""
        with self.encoder.compute.seeded(self.seed):
            run = RobustTraining(self.encoder, self.pool, self.recipe, rng=self.rng, group=group)
            run.run(on_step, checkpoints)

    def trained(self) -> bytes:
        """See `TrainingTask.trained`."""
        return training_state.saved_weights(trained_weights(self.encoder))

    def take(self, content: bytes) -> None:
        """See `TrainingTask.take`."""
        training_state.restore_weights(content, trained_weights(self.encoder))

    def __reduce__(self) -> tuple[Any, ...]:
        one = self.encoder
        return _unpacked_fine_tuning, (
            _files(one),
            one.max_length,
            one.long_texts,
            one.room.most_trained,
            self.pool,
            self.recipe,
            self.rng,
            self.seed,
            self.settings,
        )


def _files(encoder: Encoder) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory(prefix="freeal-encoder-") as folder, quiet_transformers():
        encoder.model.save_pretrained(folder)
        encoder.tokenizer.save_pretrained(folder)
        return {file.name: file.read_bytes() for file in Path(folder).iterdir()}


def _unpacked_fine_tuning(
    files: dict[str, bytes], max_length: int, long_texts: LongTexts, most_texts: int | None, *rest: Any
) -> FineTuning:
    settings: StudentSettings = rest[-1]
    with tempfile.TemporaryDirectory(prefix="freeal-encoder-") as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        model, tokenizer, _ = read_encoder_folder(Path(folder))
    compute = device.choose(settings)
    room = Room(most_texts)
    encoder = Encoder(model, tokenizer, max_length=max_length, compute=compute, long_texts=long_texts, room=room)
    return FineTuning(encoder, *rest)
