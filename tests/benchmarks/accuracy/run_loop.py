"""A cell that runs the whole method, through the same job a user starts."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

import anyio
import cases
import handover
import scores
from cases import Case
from cell_settings import llm_settings, loop_settings, student_settings
from cells import Cell
from place import Folders

from freeal.events import Event, Progress
from freeal.job.run_training_job import train
from freeal.job.training_job import TrainingJob
from freeal.loop.round_state import RoundState
from freeal.loop.round_store import stored_round
from freeal.student.model_folder import load_student

_EARLIER = 1000
"""Added to the seed that draws the rows of an earlier version."""


@dataclasses.dataclass
class CallCount:
    """Texts asked, over zero-shot, rounds and sets of demonstrations, read from the progress a job tells.

    The ledger counts only what was paid for; here an answer counts also where an earlier cell already asked for it.
    """

    calls: int = 0
    from_store: int = 0
    _under_way: bool = False

    def __call__(self, event: Event) -> None:
        """The first report of an annotation says how many answers were in the store, the last that it is over."""
        if not isinstance(event, Progress) or event.stage != "annotating":
            return
        if not self._under_way:
            self.calls += event.total
            self.from_store += event.done
        self._under_way = event.done < event.total


def loop(cell: Cell, case: Case, folders: Folders) -> dict[str, Any]:
    """Train as the daemon would, score the student of every round; `freeal` leaves the labels of its first round."""
    job = _job(cell, case, folders)
    if job.student.warm_start:
        job = job.model_copy(update={"previous_model": _earlier_version(cell, case, folders)})
    count = CallCount()
    started = time.monotonic()
    metrics = anyio.run(lambda: train(job, emit=count, environ={})).metrics
    seconds = time.monotonic() - started
    folder_of = {int(path.name.removeprefix("round_")): path for path in job.work.glob("*/round_*")}
    if cell.method == handover.LEFT_BY:
        handover.save(folders.record, cell, texts=case.pool.texts, labels=_labels(stored_round(folder_of[1])))
    rounds = [
        entry | scores.of_student(load_student.load(folder_of[entry["round"]] / "model"), case)
        for entry in metrics["rounds"]
    ]
    kept = next(entry for entry in rounds if entry["round"] == metrics["kept_round"])
    state = stored_round(folder_of[kept["round"]])
    return {
        "scores": {
            "pool_accuracy": metrics["final"]["accuracy"],
            "calibration_error": metrics["final"]["calibration_error"],
        }
        | {name: kept[name] for name in ("test_accuracy", "macro_f1", "llm_accuracy")}
        | metrics["baselines"]
        | scores.of_clean_set(state.clean_probability, state.losses, _labels(state), case),
        "kept_round": kept["round"],
        "rounds": rounds,
        "student": metrics["student"],
        "calls": count.calls,
        "from_store": count.from_store,
        "seconds": round(seconds, 1),
    }


def _earlier_version(cell: Cell, case: Case, folders: Folders) -> Path:
    """The student of a plain run on other rows of the same data set, as last month's file would have left it."""
    work = case.csv.parent / "earlier"
    work.mkdir()
    before = dataclasses.replace(cell, seed=cell.seed + _EARLIER, method="freeal", iterations=1)
    job = _job(before, cases.prepare(before, data_folder=folders.data, work=work), folders)
    anyio.run(lambda: train(job, environ={}))
    return job.output / "model"


def _job(cell: Cell, case: Case, folders: Folders) -> TrainingJob:
    here = case.csv.parent
    return TrainingJob(
        job_id=cell.data,
        csv=case.csv,
        spec=case.spec,
        output=here / "output",
        work=here / "rounds",
        answers=folders.answers,
        cache=folders.cache,
        key_folder=here,
        llm=llm_settings(cell, folders),
        student=student_settings(cell),
        loop=loop_settings(cell),
    )


def _labels(state: RoundState) -> list[str | None]:
    return [note.label for note in state.annotations]
