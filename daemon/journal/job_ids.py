"""Ids of jobs and predictions: what they are of, and so where their files come from and go to.

    <model>-<date>-<time>-<digest>                training, from the inbox
    <model>-<date>-<time>-<digest>-corrections    training anew, from models/<model>/corrections
    predict-<model>-<date>-<time>-<digest>        a prediction

Folders bear them, so that this can be told without a journal. Those of one model sort by age.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path

from daemon.config import Settings

ID = re.compile(r"(?P<name>.+)-(?P<date>\d{8})-(?P<time>\d{6})-[0-9a-f]{6}(-\d+)?(?P<corrections>-corrections)?")
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


NAME_SHOWN = 24


def short_id(job_id: str) -> str:
    """An id as people read it: `<model>-<time>`, long names cut. One that is not of ours stays as it is."""
    found = ID.fullmatch(job_id)
    if found is None:
        return job_id
    name = found["name"] if len(found["name"]) <= NAME_SHOWN else f"{found['name'][: NAME_SHOWN - 1]}…"
    return f"{name}-{found['time']}{found['corrections'] or ''}"


def shown_ids(ids: Collection[str]) -> dict[str, str]:
    """How each of these ids is shown beside the others: short, unless two would look the same."""
    counts = Counter(map(short_id, ids))
    return {one: short_id(one) if counts[short_id(one)] == 1 else one for one in ids}


def meant_id(word: str, newest_first: Iterable[str]) -> str:
    """The id that somebody who typed `word` means: that very one, or the newest that is shown like that."""
    return next((one for one in newest_first if short_id(one) == word), word)
