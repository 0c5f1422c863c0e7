"""What a round leaves on disk, so that a job that is killed goes on at its last finished round.

A round is a folder that appears whole: `round_1/` holds round.json (demonstrations, metrics), a .npy file for each
array of the pool, arrays.npz (the annotations by column) and the student as a Hugging Face folder. Answers themselves
are in the answer store; nothing here was paid for twice. The arrays of a finished round are read from their files:
those of all rounds together need not be in memory.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from freeal.annotation.question_form_trial import FormChoice, Tried
from freeal.files import atomic_write
from freeal.loop.annotation_columns import NUMBERS, annotations_of, columns_of
from freeal.loop.round_state import RoundState
from freeal.student.model_folder import student_metadata
from freeal.student.protocols import Student
from freeal.types import Annotation, Demonstration

FORMAT = 7

_ARRAYS = ("held_out", "posterior", "clean_probability", "proba", "embeddings", "losses")


class RoundStore:
    """The rounds of one job, one folder each, below `folder`.

    `question` identifies everything a round depends on. Rounds of another question are removed: a mended CSV must not
    get the labels of the one before it.
    """

    def __init__(self, folder: Path, *, question: str) -> None:
        self._folder = folder / hashlib.sha256(question.encode()).hexdigest()[:16]
        if folder.exists():
            for other in folder.iterdir():
                if other != self._folder and other.is_dir():
                    shutil.rmtree(other)
        self._folder.mkdir(parents=True, exist_ok=True)

    @property
    def folder(self) -> Path:
        """Where everything of this question lies: gone once another one is asked."""
        return self._folder

    def model_folder(self, round_number: int) -> Path:
        """The student of a finished round."""
        return self._folder / f"round_{round_number}" / "model"

    def form_of_model(self, place: int) -> FormChoice | None:
        """The form that the language model at `place` is asked in, where that was found out."""
        path = self._folder / f"form_{place}.json"
        if not path.exists():
            return None
        content = json.loads(path.read_text(encoding="utf-8"))
        return FormChoice(content["template"], tuple(Tried(**one) for one in content["tried"]), content["texts"])

    def keep_form(self, place: int, choice: FormChoice) -> None:
        """Remember it."""
        atomic_write.write_json(self._folder / f"form_{place}.json", dataclasses.asdict(choice))

    def load_round(self, round_number: int) -> RoundState | None:
        """A finished round, or None; one that a budget cut off is not finished."""
        folder = self._folder / f"round_{round_number}"
        if not folder.exists():
            return None
        content = json.loads((folder / "round.json").read_text(encoding="utf-8"))
        # Of another version, or cut off by a budget that may have been raised since: done again, with the answers from
        # the store.
        if content["format"] != FORMAT or content["cut_off"]:
            shutil.rmtree(folder)
            return None
        return stored_round(folder)

    def save_round(self, state: RoundState, student: Student | None) -> RoundState:
        """Write a round and its student (None: that of the round before), which are there whole afterwards or not. The
        same round, its arrays those that were written."""
        temporary = self._folder / f".round_{state.round}.tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        (temporary / "model").mkdir(parents=True)
        if student is None:
            shutil.copytree(self.model_folder(state.round - 1), temporary / "model", dirs_exist_ok=True)
        else:
            student.save(temporary / "model")
            if not (temporary / "model" / student_metadata.FILE_NAME).is_file():
                student_metadata.write_own(temporary / "model", labels=student.labels, model=type(student).__name__)
        # most of a round's answers are the best known of their texts: those are kept once, in memory too
        apart = np.array([state.annotations[note.index] is not note for note in state.asked], dtype=bool)
        annotations, names = columns_of(state.annotations)
        others, other_names = columns_of([note for note, own in zip(state.asked, apart, strict=True) if own])
        opinions = [columns_of(notes) for notes in state.opinions]
        content = {
            "format": FORMAT,
            "annotations": names,
            "asked_apart": other_names,
            "demonstrations": [dataclasses.asdict(item) for item in state.demonstrations],
            "representatives": [dataclasses.asdict(item) for item in state.representatives],
            "metrics": state.metrics,
            "opinions": [names for _, names in opinions],
            "settled": state.settled,
            "cut_off": state.cut_off,
        }
        atomic_write.write_json(temporary / "round.json", content)
        for name in _ARRAYS:
            np.save(temporary / f"{name}.npy", getattr(state, name), allow_pickle=False)
        arrays: dict[str, Any] = {
            "asked": np.array([note.index for note in state.asked], dtype=np.int64),
            "asked_apart": apart,
            **{f"annotations.{name}": column for name, column in annotations.items()},
            **{f"asked_apart.{name}": column for name, column in others.items()},
            **{
                f"opinions_{place}.{name}": column
                for place, (columns, _) in enumerate(opinions)
                for name, column in columns.items()
            },
        }
        np.savez(
            temporary / "arrays.npz",
            allow_pickle=False,
            **arrays,
        )
        atomic_write.sync_tree(temporary)
        temporary.rename(self._folder / f"round_{state.round}")
        atomic_write.sync(self._folder)
        return dataclasses.replace(state, **_mapped_arrays(self._folder / f"round_{state.round}"))


def stored_round(folder: Path) -> RoundState:
    """The round in a folder `round_N` of this version."""
    content = json.loads((folder / "round.json").read_text(encoding="utf-8"))
    with np.load(folder / "arrays.npz", allow_pickle=False) as arrays:
        annotations = annotations_of(_named(arrays, "annotations"), content["annotations"])
        asked_apart = annotations_of(_named(arrays, "asked_apart"), content["asked_apart"])
        return RoundState(
            round=int(folder.name.removeprefix("round_")),
            asked=_annotations_together(annotations, asked_apart, arrays["asked"], arrays["asked_apart"]),
            annotations=annotations,
            demonstrations=tuple(Demonstration(**item) for item in content["demonstrations"]),
            representatives=tuple(Demonstration(**item) for item in content["representatives"]),
            metrics=content["metrics"],
            opinions=tuple(
                annotations_of(_named(arrays, f"opinions_{place}"), names)
                for place, names in enumerate(content["opinions"])
            ),
            settled=content["settled"],
            **_mapped_arrays(folder),
        )


def _mapped_arrays(folder: Path) -> dict[str, Any]:
    """The arrays of a stored round, not to be written to. An array without elements cannot be mapped."""
    found: dict[str, Any] = {}
    for name in _ARRAYS:
        path = folder / f"{name}.npy"
        try:
            found[name] = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
        except ValueError:
            found[name] = np.load(path, allow_pickle=False)
    return found


def _named(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name: arrays[key] for name in NUMBERS if (key := f"{prefix}.{name}") in arrays}


def _annotations_together(
    annotations: Sequence[Annotation], apart: Sequence[Annotation], indices: np.ndarray, is_apart: np.ndarray
) -> tuple[Annotation, ...]:
    """The answers of a round in their order, out of those that stand apart and those that are among `annotations`."""
    others = iter(apart)
    pairs = zip(indices.tolist(), is_apart.tolist(), strict=True)
    return tuple(next(others) if own else annotations[index] for index, own in pairs)
