"""`taken.json` in a prediction's work folder: how its CSV looked when it was taken.

Somebody may go on writing to a file that has stood still for the set time: a rename takes that along. What came after
the rows were read is in no result, so the two are compared at the end and the difference is said.
"""

from __future__ import annotations

import json
from pathlib import Path

from daemon.inbox import file_sightings
from daemon.inbox.file_sightings import Sighting

_NAME = "taken.json"


def write_taken(folder: Path, sighting: Sighting) -> None:
    """Note it down; not worth a sync, it is lost only where the machine itself goes down. Raises `OSError`."""
    noted = json.dumps({"size": sighting.size, "mtime_ns": sighting.mtime_ns})
    (folder / _NAME).write_text(noted, encoding="utf-8")


def written_since_taken(folder: Path, csv: Path) -> str | None:
    """What to say of a CSV that is no longer as it was taken; None where it is, or where nobody knows."""
    try:
        taken = json.loads((folder / _NAME).read_text(encoding="utf-8"))
        now = file_sightings.look(csv)
        if (now.size, now.mtime_ns) == (taken["size"], taken["mtime_ns"]):
            return None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    return "the CSV was written to after it had been taken: drop it again, what came late is not in the result"
