"""A results folder while its run is under way: where the unfinished work lies, and what is forgotten at the end."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from freeal.job.new_version.correction_job import CorrectionJob
    from freeal.job.training_job import TrainingJob

FOLDER_NAME = ".work"
OURS = ("run.json", FOLDER_NAME)
"""A folder that holds one of these is the results folder of an earlier run."""


def answers_path() -> Path:
    """Where runs without a service keep the answers that are paid for: one store for all of them."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("freeal")) / "answers.sqlite"


def job_id(name: str, results: Path) -> str:
    """The id of the job `name` that fills a results folder: its bill is of this folder, and of no other one's."""
    return f"{name}-{hashlib.sha256(str(results).encode()).hexdigest()[:8]}"


def close_work_folder(job: TrainingJob | CorrectionJob) -> None:
    """A finished job leaves no work, and its bill is no part of the next one's: the same again is another job."""
    from freeal.llm.store.answer_store import SqliteStore

    shutil.rmtree(job.work)
    with contextlib.closing(SqliteStore(job.answers, job=job.job_id)) as store:
        store.forget_bill()
