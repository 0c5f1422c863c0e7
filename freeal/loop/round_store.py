"""What a round leaves on disk, so that a job that is killed goes on at its last finished round.

A round is a folder that appears whole: `round_1/` holds round.json (annotations and demonstrations), arrays.npz and the
student as a Hugging Face folder. Answers themselves are in the answer store; nothing here was paid for twice.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from freeal.files import atomic_write
from freeal.loop.round_state import RoundState
from freeal.student.model_folder import student_metadata
from freeal.student.protocols import Student
from freeal.types import Annotation, Demonstration, Status

FORMAT = 4

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

    def model_folder(self, round_number: int) -> Path:
        """The student of a finished round."""
        return self._folder / f"round_{round_number}" / "model"

    def load(self, round_number: int) -> RoundState | None:
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
        with np.load(folder / "arrays.npz", allow_pickle=False) as arrays:
            return RoundState(
                round=round_number,
                asked=tuple(annotation_of(item) for item in content["asked"]),
                annotations=tuple(annotation_of(item) for item in content["annotations"]),
                demonstrations=tuple(Demonstration(**item) for item in content["demonstrations"]),
                representatives=tuple(Demonstration(**item) for item in content["representatives"]),
                metrics=content["metrics"],
                settled=content["settled"],
                **{name: arrays[name] for name in _ARRAYS},
            )

    def save(self, state: RoundState, student: Student | None) -> None:
        """Write a round and its student (None: that of the round before), which are there whole afterwards or not."""
        temporary = self._folder / f".round_{state.round}.tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        (temporary / "model").mkdir(parents=True)
        if student is None:
            shutil.copytree(self.model_folder(state.round - 1), temporary / "model", dirs_exist_ok=True)
        else:
            student.save(temporary / "model")
            if not (temporary / "model" / student_metadata.FILE_NAME).is_file():
                student_metadata.write_own(temporary / "model", labels=student.labels, model=type(student).__name__)
        content = {
            "format": FORMAT,
            "asked": [dataclasses.asdict(item) for item in state.asked],
            "annotations": [dataclasses.asdict(item) for item in state.annotations],
            "demonstrations": [dataclasses.asdict(item) for item in state.demonstrations],
            "representatives": [dataclasses.asdict(item) for item in state.representatives],
            "metrics": state.metrics,
            "settled": state.settled,
            "cut_off": state.cut_off,
        }
        atomic_write.write_json(temporary / "round.json", content)
        np.savez(
            temporary / "arrays.npz",
            **{name: getattr(state, name) for name in _ARRAYS},
        )
        atomic_write.sync_tree(temporary)
        temporary.rename(self._folder / f"round_{state.round}")
        atomic_write.sync(self._folder)


def annotation_of(item: dict[str, Any]) -> Annotation:
    """An annotation as it was before `dataclasses.asdict` and JSON. Raises KeyError or TypeError for anything else."""
    distribution = item["distribution"]
    return Annotation(
        **{
            **item,
            "statuses": tuple(Status(status) for status in item["statuses"]),
            "distribution": None if distribution is None else tuple(distribution),
            "alternatives": tuple(item["alternatives"]),
        }
    )
