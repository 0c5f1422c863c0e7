"""Which trainer for which settings. Importing this loads neither torch nor transformers; calling it does."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from freeal.compute.listener import Listener
from freeal.errors import ConfigError, Where
from freeal.executors.engine_choice import EngineRule
from freeal.executors.training.training_task import LocalTraining, TrainingExecutor
from freeal.settings import RaySettings, StudentSettings
from freeal.student.protocols import Trainer
from freeal.types import COMPARE, TFIDF, Kind

if TYPE_CHECKING:
    from freeal.compute.batch_halving import Room

FROZEN_FROM_TEXTS = 20_000
"""On a CPU, two epochs over this many texts take half an hour per round at 25 texts a second (two cores, bf16, 22 M
parameters), hours with an encoder of 80 M; a frozen encoder takes a minute or two."""

_OF_FINE_TUNING = ("epochs", "learning_rate", "batch_size", "warmup_epochs", "mixup", "consistency")
"""Settings of gradient descent through the encoder."""


def make_trainer(
    settings: StudentSettings,
    *,
    texts: int,
    previous: Path | None = None,
    listener: Listener | None = None,
    most_at_once: int | None = None,
    scratch: Path | None = None,
    kind: Kind = "single",
    ray: RaySettings | None = None,
) -> Trainer:
    """The trainer for a pool of `texts` distinct texts, going on from the student in the folder `previous`, if any.

    `most_at_once` caps how many texts are computed together, whatever the batch size: gradients are accumulated.
    `scratch` is a folder for arrays that are too large for memory. A student of several labels (`kind`) is always
    frozen. Fine-tuning may go over the cluster `ray` (None: it never does); a frozen student's one pass over the texts
    and its heads are this process's.

    Raises `ConfigError` where model, device or the cluster that `student.engine` asks for are not there, and for
    several labels where `student.mode` is finetune or `student.model` is no one encoder; `ModelFolderError` for a
    folder that cannot be gone on from.
    """
    several = settings.model == COMPARE or not isinstance(settings.model, str)
    if kind == "multi" and (several or settings.model == TFIDF):
        raise ConfigError(
            "tfidf, compare and lists are for texts of one label, not for kind: multi",
            where=Where(key="student.model"),
            hint="name one encoder, or leave it at auto",
        )
    if several:
        makes = functools.partial(
            make_trainer, texts=texts, previous=previous, most_at_once=most_at_once, scratch=scratch, ray=ray
        )
        return _one_of_several(settings, makes, listener=listener)
    if settings.model == TFIDF:
        from freeal.student.tfidf_trainer import TfidfTrainer

        return TfidfTrainer()
    from freeal.compute import device
    from freeal.compute.batch_halving import Room

    compute = device.choose(settings)
    room = Room(most_at_once, listener=listener)
    if kind == "multi":
        return _trainer_of_several_labels(settings, previous, room=room, listener=listener, scratch=scratch)
    if choose_mode(settings, texts=texts, on_cpu=compute.device.type == "cpu") == "frozen":
        from freeal.student.frozen_trainer import FrozenTrainer

        if listener is not None:
            _tell_what_has_no_effect(settings, texts=texts, listener=listener)
        return FrozenTrainer(settings, previous, room=room, scratch=scratch)
    from freeal.student.finetune_trainer import TransformerTrainer

    executor = _training_executor(settings, ray, texts=texts, listener=listener, scratch=scratch)
    return TransformerTrainer(settings, previous, room=room, scratch=scratch, executor=executor)


def _training_executor(
    settings: StudentSettings, ray: RaySettings | None, *, texts: int, listener: Listener | None, scratch: Path | None
) -> TrainingExecutor:
    """Who fine-tunes; `listener` hears which engine it is, and why, where there is a choice."""
    if ray is None:
        return LocalTraining()
    rule = EngineRule("student", settings.engine, "texts", settings.ray_from_texts, "ray_from_texts")
    choice = rule.choose_engine(ray, count=texts)
    notice = Listener().on_notice if listener is None else listener.on_notice
    if ray.address is not None or choice.engine == "ray":
        notice(f"the student: {choice}")
    if choice.engine == "local":
        return LocalTraining()
    from freeal.executors.training.ray_training import RayTraining

    return RayTraining(ray, folder=scratch, on_notice=notice)


def _trainer_of_several_labels(
    settings: StudentSettings, previous: Path | None, *, room: Room, listener: Listener | None, scratch: Path | None
) -> Trainer:
    from freeal.student.several_labels_trainer import SeveralLabelsTrainer

    if settings.mode == "finetune":
        raise ConfigError(
            "finetune is for texts of one label: the robust training of an encoder is not made for kind: multi",
            where=Where(key="student.mode"),
            hint="leave it at auto, or say frozen",
        )
    if listener is not None and (unused := _without_effect(settings)):
        listener.on_notice(f"kind: multi has a frozen student: {', '.join(unused)} without effect")
    return SeveralLabelsTrainer(settings, previous, room=room, scratch=scratch)


def _one_of_several(settings: StudentSettings, makes: Callable[..., Trainer], *, listener: Listener | None) -> Trainer:
    """A trainer that chooses among the students that `settings` name, or the only one that is at hand; each is one that
    `makes`."""
    from freeal.compute import device
    from freeal.student.comparison import candidates
    from freeal.student.comparison.comparing_trainer import ComparingTrainer, Entrant

    if settings.warm_start:
        raise ConfigError(
            "student.warm_start goes on from one encoder, and student.model names several",
            where=Where(key="student.warm_start"),
            hint="name one student, or set warm_start to false",
        )
    told = set[str]()
    quiet = None if listener is None else dataclasses.replace(listener, on_notice=_say_once(listener.on_notice, told))
    names = candidates.named_candidates(settings)
    trainers = [makes(settings.model_copy(update={"model": name}), listener=quiet) for name in names]
    if len(names) == 1:
        if quiet is not None:
            quiet.on_notice(f"student.model: compare: {names[0]} alone is at hand")
        return trainers[0]
    entrants = [Entrant(candidates.candidate(name), trainer) for name, trainer in zip(names, trainers, strict=True)]
    on_cpu = device.choose(settings).device.type == "cpu"
    return ComparingTrainer(entrants, on_cpu=on_cpu, listener=quiet)


def _say_once(notice: Callable[[str], None], told: set[str]) -> Callable[[str], None]:
    """What several trainers say alike is said once."""

    def say(message: str) -> None:
        if message not in told:
            told.add(message)
            notice(message)

    return say


def _tell_what_has_no_effect(settings: StudentSettings, *, texts: int, listener: Listener) -> None:
    """Of a frozen student."""
    if unused := _without_effect(settings):
        why = "" if settings.mode == "frozen" else f" (student.mode: auto, {texts:,} texts on a CPU)"
        listener.on_notice(
            f"the student is frozen{why}: {', '.join(unused)} {'has' if len(unused) == 1 else 'have'} no effect; "
            "student.mode: finetune uses them"
        )


def _without_effect(settings: StudentSettings) -> list[str]:
    """Settings that somebody changed and that a frozen student does not know."""
    changed = [
        name for name in _OF_FINE_TUNING if getattr(settings, name) != StudentSettings.model_fields[name].default
    ]
    return [f"student.{name}" for name in (*changed, *(["engine"] if settings.engine == "ray" else []))]


def choose_mode(settings: StudentSettings, *, texts: int, on_cpu: bool) -> Literal["finetune", "frozen"]:
    """`settings.mode`, or for `auto`: fine-tune, but not where that takes hours: on a CPU with very many texts."""
    if settings.mode != "auto":
        return settings.mode
    return "frozen" if on_cpu and texts > FROZEN_FROM_TEXTS else "finetune"
