"""Whether the disks have room for another piece of work: asked before each, so that none fills them to the brim."""

from __future__ import annotations

import shutil

from daemon.config import Settings

MEGABYTE = 1_000_000


def obstacle(settings: Settings) -> str | None:
    """Why nothing more is begun now: too little room, or a folder that cannot be looked at; None when all is well."""
    least = settings.jobs.min_free_disk_mb * MEGABYTE
    for folder in (settings.state, settings.models):
        try:
            free = shutil.disk_usage(folder).free
        except OSError as cause:
            return f"{folder} cannot be looked at: {cause.strerror}; mend that, or mount its share again"
        if free < least:
            return f"only {free // MEGABYTE} MB free in {folder} (jobs.min_free_disk_mb)"
    return None
