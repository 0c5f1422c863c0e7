"""Whether the folders an operator named are still there: removed, unmounted, unreadable is said, not taken as empty."""

from __future__ import annotations

import os
import stat
from pathlib import Path


class Roots:
    """Looks at them, and remembers which were mount points."""

    def __init__(self) -> None:
        self._mounted: set[Path] = set()

    def availability_problem(self, folder: Path) -> str | None:
        """Why nothing can be taken from a folder now, with what to do; None when all is well."""
        try:
            status = os.stat(folder)  # noqa: PTH116 - follows a link: where the folder lies is the operator's choice
            above = os.stat(Path(os.path.realpath(folder)).parent)  # noqa: PTH116
        except FileNotFoundError:
            return "is missing: make it again, or mount the share it lies on"
        except OSError as cause:
            return f"cannot be looked at: {cause.strerror}"
        if not stat.S_ISDIR(status.st_mode):
            return "is no longer a folder: put one in its place"
        if status.st_dev != above.st_dev:
            self._mounted.add(folder)
        elif folder in self._mounted:
            return "is no longer mounted: mount its share again, or restart to use the folder as it is"
        return None
