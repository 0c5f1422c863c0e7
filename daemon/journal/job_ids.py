"""Ids of jobs and predictions: what they are of, and so where their files come from and go to.

    <model>-<date>-<time>-<digest>                training, from the inbox
    <model>-<date>-<time>-<digest>-corrections    training anew, from models/<model>/corrections
    predict-<model>-<date>-<time>-<digest>        a prediction

Folders bear them, so that this can be told without a journal. Those of one model sort by age.
"""

from __future__ import annotations

import re
from pathlib import Path

from daemon.config import Settings

ID = re.compile(r"(?P<name>.+)-(?P<time>\d{8}-\d{6})-[0-9a-f]{6}(-\d+)?(?P<corrections>-corrections)?")
CORRECTIONS = "corrections"
"""The folder in a model's folder, and the end of an id."""
OF_PREDICTIONS = "predict-"


def is_correction(job_id: str) -> bool:
    """Whether a job trains a model anew with what a person corrected."""
    return (found := ID.fullmatch(job_id)) is not None and found["corrections"] is not None


def home(settings: Settings, job_id: str) -> Path:
    """The folder whose done/ and failed/ take a job's inputs."""
    found = ID.fullmatch(job_id)
    return settings.models / found["name"] if found and found["corrections"] else settings.inbox


def dropped_in(settings: Settings, job_id: str) -> Path:
    """The folder a job's CSV was dropped in."""
    return home(settings, job_id) / CORRECTIONS if is_correction(job_id) else settings.inbox
