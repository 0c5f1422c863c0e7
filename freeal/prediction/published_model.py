"""A published model folder, loaded, with everything labelling a table needs of it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, get_args

from freeal.aggregation.tree_nodes import BackOff
from freeal.errors import CorruptModelError
from freeal.files.model_folders import classifier_folder
from freeal.prediction.text_cache import Memory
from freeal.prediction.text_profile import TextProfile, read_profile
from freeal.settings import PredictSettings
from freeal.student.protocols import Student
from freeal.text.label_paths import BACK_OFF
from freeal.types import Kind


class Classifier:
    """The student, the columns it reads, what its training texts were like, and its answers so far.

    `identity` is another one for another model, "" where there is no folder behind it. `thresholds` [labels] are those
    of a student that gives several labels. `memory` is shared by all that
    is labelled with it, one thread at a time.
    """

    def __init__(
        self,
        student: Student,
        extra: dict[str, Any],
        *,
        identity: str = "",
        profile: TextProfile | None = None,
        thresholds: tuple[float, ...] = (),
    ) -> None:
        self.student = student
        self.thresholds = thresholds
        self.extra = extra
        self.identity = identity
        self.profile = profile
        self.memory = Memory(len(student.labels))

    @classmethod
    def load(
        cls, folder: Path, settings: PredictSettings | None = None, *, student: Student | None = None
    ) -> Classifier:
        """Load a classifier, a model or one of its versions (freeal/files/model_folders.py); `student` is the one in
        it, where the caller has loaded it. Raises `ModelFolderError`, with what is wrong, when it cannot be used."""
        from freeal.student.model_folder import load_student, student_metadata

        folder = classifier_folder(folder)
        card = student_metadata.read_card(folder)
        if student is not None:
            return cls(student, card.extra, profile=read_profile(folder))
        batch_size = (settings or PredictSettings()).batch_size
        student = load_student.load(folder, batch_size=batch_size)
        profile = read_profile(folder)
        return cls(student, card.extra, identity=identity_of(folder), profile=profile, thresholds=card.thresholds)

    @property
    def text_columns(self) -> tuple[str, ...] | None:
        """The columns its texts were made of; None for a model trained without a table."""
        columns = self.extra.get("text_columns")
        return tuple(columns) if columns else None

    @property
    def kind(self) -> Kind:
        """What its labels are to each other. Raises `CorruptModelError` where its folder names what nobody knows."""
        kind: Kind = self.extra.get("kind", "single")
        if kind not in get_args(Kind):
            raise CorruptModelError(
                f"freeal.json names labels of kind {kind!r}", hint="update freeal, or train the model again"
            )
        return kind

    @property
    def back_off(self) -> BackOff | None:
        """How it names a node of a tree of labels; None where they are none. Raises `CorruptModelError` where its
        folder asks for what no probability is."""
        if self.kind != "tree":
            return None
        share = self.extra.get("back_off", BACK_OFF)
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0.0 < share <= 1.0:
            hint = "write a number above 0, at most 1"
            raise CorruptModelError(f"freeal.json names back_off {share!r}, which is no probability", hint=hint)
        return BackOff(self.student.labels, float(share))


def identity_of(folder: Path) -> str:
    """What tells a model from another: its card, and size and time of its weights."""
    weights = (folder / "model.safetensors").stat()
    card = (folder / "freeal.json").read_bytes()
    return hashlib.sha256(card + f"{weights.st_size} {weights.st_mtime_ns}".encode()).hexdigest()
