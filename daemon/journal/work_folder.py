"""Where a job's things lie while it is under way."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from daemon.config import Settings
from daemon.journal import job_ids


@dataclasses.dataclass(frozen=True, slots=True)
class Workplace:
    """The folders of one job. `id` is ours, never a user's word alone."""

    settings: Settings
    id: str

    @property
    def folder(self) -> Path:
        """Everything of this job until it is over."""
        return self.settings.work / self.id

    @property
    def inputs(self) -> Path:
        """The claimed files."""
        return self.folder / "input"

    @property
    def rounds(self) -> Path:
        """The library's resumable state."""
        return self.folder / "rounds"

    @property
    def output(self) -> Path:
        """What the library writes, until it is published."""
        return self.folder / "output"

    @property
    def done(self) -> Path:
        """Where a training job's inputs go after success."""
        return job_ids.home(self.settings, self.id) / "done" / self.id

    @property
    def failed(self) -> Path:
        """Where they go otherwise."""
        return job_ids.home(self.settings, self.id) / "failed" / self.id
