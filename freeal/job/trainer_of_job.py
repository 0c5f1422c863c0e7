"""The trainer of a job, as its settings ask for it."""

from __future__ import annotations

import functools
from pathlib import Path

import anyio.from_thread

from freeal.compute.listener import Listener
from freeal.errors import ModelFolderError
from freeal.events import Emit, Notice, Progress
from freeal.settings import RaySettings, StudentSettings
from freeal.student.protocols import Trainer
from freeal.student.trainer_factory import make_trainer
from freeal.types import Kind


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
