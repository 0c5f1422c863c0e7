"""Taking a CSV out of a model's predict folder: the journal's row first, then the file."""

from __future__ import annotations

import os
import shutil

import structlog

from daemon.config import Settings
from daemon.errors import ChangedFileError
from daemon.host import clock
from daemon.host.clock import Clock
from daemon.inbox import file_sightings
from daemon.inbox.claim_file import take_file
from daemon.inbox.claim_pair import csv_digest
from daemon.inbox.inbox_scan import PREDICT, Drop
from daemon.journal.journal import Journal
from daemon.journal.prediction_record import Prediction
from daemon.journal.work_folder import Workplace
from daemon.outbox import durable_file_moves
from daemon.outbox.model_shelf import Shelf
from daemon.predictions import taken_file
from freeal.errors import Where

_log = structlog.get_logger(__name__)


def claim_csv(drop: Drop, settings: Settings, *, journal: Journal, time: Clock) -> Prediction:
    """Write a dropped CSV down and take it. Blocks on the disk.

    Raises `ChangedFileError` where it is no longer what was seen, `OSError` where it cannot be moved; it then lies
    where it lay, whatever is raised, and nothing is written down.
    """
    source = Shelf(settings.models, drop.model).folder / PREDICT / drop.name
    digest = csv_digest(source)
    if file_sightings.look(source) != drop.sighting:
        raise ChangedFileError("changed while it was being taken", where=Where(file=source))
    prediction = _new_prediction(drop, digest, journal, time.wall())
    journal.add_prediction(prediction)
    place = Workplace(settings, prediction.id)
    taken = place.inputs / drop.name
    try:
        durable_file_moves.make_folder(place.folder)
        taken_file.write_taken(place.folder, drop.sighting)
        take_file(source, taken, drop.sighting)
    except Exception as problem:
        if taken.exists() and not os.path.lexists(source):  # moved, but not synced, say: it is seen through from here
            _log.warning("a file was taken with trouble", prediction=prediction.id, problem=str(problem))
            return prediction
        journal.forget_prediction(prediction.id)
        shutil.rmtree(place.folder, ignore_errors=True)
        raise
    return prediction


def _new_prediction(drop: Drop, digest: str, journal: Journal, now: float) -> Prediction:
    wanted = f"predict-{drop.model}-{clock.stamp(now)}-{digest[:6]}"
    number, found = 2, wanted
    while journal.has_prediction(found):
        found, number = f"{wanted}-{number}", number + 1
    return Prediction(id=found, model=drop.model, csv_name=drop.name, created_at=now, updated_at=now)
