"""Whether there is room for work: below `jobs.min_free_disk_mb` nothing new is begun, and what waits is told why."""

from __future__ import annotations

import shutil

from daemon.config import Settings

MEGABYTE = 1_000_000


def lack_of_free_disk(settings: Settings) -> str | None:
    """Why neither a job nor a prediction should write now: too little room, or a folder that cannot be looked at; None
    where all is well."""
    least = settings.jobs.min_free_disk_mb * MEGABYTE
    for folder in (settings.state, settings.models):
        try:
            free = shutil.disk_usage(folder).free
        except OSError as cause:
            return f"{folder} cannot be looked at: {cause.strerror}; mend that, or mount its share again"
        if free < least:
            return f"only {free // MEGABYTE} MB free in {folder} (jobs.min_free_disk_mb)"
    return None
