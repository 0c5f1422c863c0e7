"""A model's folder: its versions, the current one, and what lies on top for people.

models/<name>/model -> versions/<job>/model      annotated/<stem>.csv  metrics.json  report.html
models/<name>/versions/<job>/                    predict/  predictions/  done/  failed/
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import structlog

from daemon.errors import RefusedFileError
from daemon.outbox import publish
from freeal.errors import Where

_log = structlog.get_logger(__name__)

ON_TOP = ("metrics.json", "report.html")
LANES = ("predict", "predictions", "done", "failed")


class Shelf:
    """Where one model is published."""

    def __init__(self, models: Path, name: str) -> None:
        self.name = name
        self.folder = models / name

    @property
    def model(self) -> Path:
        """The link to the current version's Hugging Face folder."""
        return self.folder / "model"

    @property
    def current(self) -> str | None:
        """The job whose version is the current one."""
        if not self.model.is_symlink():
            return None
        parts = self.model.readlink().parts
        return parts[1] if len(parts) == 3 and parts[0] == "versions" and self.model.exists() else None

    def version(self, job_id: str) -> Path:
        """The folder of one version."""
        return self.folder / "versions" / job_id

    def publish(self, output: Path, *, job_id: str, stem: str, keep_versions: int) -> None:
        """Put a finished job's output on the shelf and make it current.

        Every step may be repeated, so an interrupted publishing is finished by doing it again: where the version
        stands already, `output` may be gone.
        """
        self._refuse_links()
        version = self.version(job_id)
        if not version.exists():
            publish.move_folder(output, version)
        for lane in LANES:
            publish.make_folder(self.folder / lane)
        publish.copy(version / "annotated.csv", self.folder / "annotated" / f"{stem}.csv")
        for name in ON_TOP:
            if (version / name).is_file():
                publish.copy(version / name, self.folder / name)
        publish.point(self.model, f"versions/{job_id}/model")
        self._retire(keep_versions)

    def check_writable(self) -> None:
        """Before anything is paid for, find out whether `publish` could write. Leaves nothing behind.

        Raises `RefusedFileError` for a link, `OSError` naming the folder otherwise.
        """
        self._refuse_links()
        places = (self.folder / "versions", self.folder, self.folder.parent)
        folder = next((place for place in places if place.exists()), self.folder.parent)
        try:
            with tempfile.TemporaryFile(dir=folder):
                return
        except OSError as cause:
            raise OSError(cause.errno, cause.strerror, os.fspath(folder)) from cause

    def _refuse_links(self) -> None:
        for folder in (self.folder, *(self.folder / name for name in ("versions", "annotated", *LANES))):
            if folder.is_symlink():
                raise RefusedFileError("is a link, and would lead out of the models folder", where=Where(file=folder))

    def discard(self, job_id: str) -> None:
        """Forget a version whose publishing did not come to its end; the current one stays."""
        if self.current != job_id and self.version(job_id).is_dir():
            shutil.rmtree(self.version(job_id))

    def _retire(self, keep: int) -> None:
        """Delete the oldest versions; ids of one model differ first in the time of the claim, so they sort by age."""
        versions = sorted(entry for entry in (self.folder / "versions").iterdir() if not entry.name.startswith("."))
        for version in versions[: max(0, len(versions) - keep)]:
            if version.name != self.current:
                shutil.rmtree(version)
                _log.info("an old version was deleted", model=self.name, version=version.name)


def shelves(models: Path) -> list[Shelf]:
    """Every model folder there is, by name. Links are not followed: nothing outside is ours."""
    if not models.is_dir():
        return []
    return [
        Shelf(models, entry.name)
        for entry in sorted(models.iterdir())
        if entry.is_dir() and not entry.is_symlink() and not entry.name.startswith(".")
    ]
