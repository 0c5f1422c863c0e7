"""The trainer of a job, as its settings ask for it, and whether a trainer goes with what the job's labels are."""

from __future__ import annotations

import functools
from pathlib import Path

import anyio.from_thread

from freeal.compute.listener import Listener
from freeal.errors import ConfigError, ModelFolderError, Where
from freeal.events import Emit, Notice, Progress
from freeal.job.training_job import TrainingJob
from freeal.settings import RaySettings, StudentSettings
from freeal.student.protocols import Trainer
from freeal.student.trainer_factory import make_trainer
from freeal.types import Kind


def check_kind(job: TrainingJob, trainer: Trainer | None) -> None:
    """Raises `ConfigError` where settings or a caller's own trainer do not go with `kind: multi`; what is wrong with
    the spec itself is said when it is read."""
    if job.spec.kind != "multi":
        return
    if job.loop.candidates != "off":
        raise ConfigError(
            f"{job.loop.candidates} is for texts of one label, not for kind: multi",
            where=Where(key="loop.candidates"),
            hint="set it to off: with several labels the language model names all that apply anyway",
        )
    if job.student.mode == "finetune":
        raise ConfigError(
            "finetune is for texts of one label, not for kind: multi",
            where=Where(key="student.mode"),
            hint="set it to auto or frozen",
        )
    if job.pilot_rows is not None:
        raise ConfigError(
            "a pilot is for texts of one label, not for kind: multi",
            where=Where(key="pilot"),
            hint="take the first rows as a file of their own: answers that are stored are not paid for twice",
        )
    if trainer is not None and not getattr(trainer, "gives_several_labels", False):
        raise ConfigError(
            f"{trainer!r} learns one label per text: kind: multi has a student of its own",
            hint="leave the trainer out, or give it `gives_several_labels = True` and several ids per text",
        )


def trainer_for(
    settings: StudentSettings,
    *,
    texts: int,
    previous: Path | None,
    most_at_once: int | None,
    emit: Emit,
    scratch: Path | None = None,
    kind: Kind = "single",
    ray: RaySettings | None = None,
) -> Trainer:
    """The trainer of a pool of `texts`; with `student.warm_start` it goes on from the student in the folder
    `previous`, if it can. `scratch` is a folder for what is too large for memory; `ray` the cluster that fine-tuning
    may go over."""

    def on_embedded(done: int, total: int) -> None:
        anyio.from_thread.check_cancelled()  # embedding a large pool takes minutes: a stop ends it here
        emit(Progress("encoding", 0, done, total, "texts"))

    opened = functools.partial(
        make_trainer,
        settings,
        texts=texts,
        listener=Listener(on_embedded, on_notice=lambda message: emit(Notice(message))),
        most_at_once=most_at_once,
        scratch=scratch,
        kind=kind,
        ray=ray,
    )
    if not settings.warm_start:
        return opened()
    if previous is None:
        emit(Notice("warm_start: there is no earlier version of this model; the student starts from the base encoder"))
    try:
        return opened(previous=previous)
    except ModelFolderError as error:
        emit(Notice(f"warm_start: {error}; the student starts from the base encoder"))
        return opened()
