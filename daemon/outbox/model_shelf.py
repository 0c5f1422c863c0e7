"""A model's folder: its versions, the current one, and what lies on top for people.

models/<name>/model -> versions/<job>/model      annotated/<stem>.csv  metrics.json  report.html
models/<name>/versions/<job>/                    predict/  predictions/  corrections/  done/  failed/
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from pathlib import Path, PurePath

import structlog

from daemon.errors import RefusedFileError
from daemon.outbox import durable_file_moves
from freeal.errors import Where
from freeal.spec.model_name import NAME_PATTERN
from freeal.table.file_formats import data_stem

_log = structlog.get_logger(__name__)

_VERSION_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]*"
ON_TOP = ("metrics.json", "report.html", "review_queue.csv")
PILOTS = "pilots"
"""Where the pilots of jobs lie that wait for their owner."""
LANES = ("predict", "predictions", "corrections", "done", "failed")
SWEPT = ("versions", PILOTS, "annotated", "predictions", "predict", "corrections")


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
        if len(parts) != 3 or (parts[0], parts[2]) != ("versions", "model") or ".." in parts:
            return None
        inner = [self.folder.joinpath(*parts[:depth]) for depth in (1, 2, 3)]
        return parts[1] if all(folder.is_dir() and not folder.is_symlink() for folder in inner) else None

    def version(self, job_id: str) -> Path:
        """The folder of one version."""
        return self.folder / "versions" / job_id

    def pilot(self, job_id: str) -> Path:
        """The folder of the pilot of a job that waits for its owner, or goes on with its answers."""
        return self.folder / PILOTS / job_id

    def show_pilot(self, output: Path, *, job_id: str) -> None:
        """Put a finished pilot where people look for it. May be repeated: where it stands, `output` may be gone."""
        self._refuse_links()
        pilot = self.pilot(job_id)
        if output.is_dir():
            if pilot.is_dir():
                durable_file_moves.remove_folder(pilot)
            durable_file_moves.make_folder(pilot.parent)
            durable_file_moves.move_folder(output, pilot)

    def discard_pilot(self, job_id: str) -> None:
        """Forget a pilot: its job is over."""
        if self.pilot(job_id).is_dir() and not self.pilot(job_id).is_symlink():
            durable_file_moves.remove_folder(self.pilot(job_id))
            if not any(self.pilot(job_id).parent.iterdir()):
                self.pilot(job_id).parent.rmdir()

    def publish_version(self, output: Path, *, job_id: str, stem: str, keep_versions: int) -> None:
        """Put a finished job's output on the shelf and make it current.

        Every step may be repeated, so an interrupted publishing is finished by doing it again: where the version
        stands already, `output` may be gone.
        """
        self._refuse_links()
        version = self.version(job_id)
        if not version.exists():
            durable_file_moves.move_folder(output, version)
        for lane in LANES:
            durable_file_moves.make_folder(self.folder / lane)
        self._show_on_top(job_id, stem)
        self._delete_old_versions(keep_versions)

    def use(self, job_id: str) -> None:
        """Make a version that stands here the current one, with its figures and rows on top. May be repeated."""
        self._refuse_links()
        self._show_on_top(job_id, self._annotated_stem(job_id))
        _log.info("another version is the current one", model=self.name, version=job_id)

    def version_names(self) -> tuple[str, ...]:
        """The finished versions that are kept, the newest first: ids differ first in the second of the claim."""
        folder = self.folder / "versions"
        if folder.is_symlink() or not folder.is_dir():
            return ()
        names = [one.name for one in folder.iterdir() if one.is_dir() and not one.is_symlink()]
        return tuple(sorted((name for name in names if re.fullmatch(_VERSION_PATTERN, name)), reverse=True))

    def _annotated_stem(self, job_id: str) -> str:
        """What annotated/<stem>.csv is called: as the file a version's rows came from."""
        try:
            record = json.loads((self.version(job_id) / "run.json").read_text(encoding="utf-8"))
            return data_stem(PurePath(str(record["input"]["file"])).name)
        except (OSError, ValueError, KeyError, TypeError):
            return self.name

    def _show_on_top(self, job_id: str, stem: str) -> None:
        version = self.version(job_id)
        for ending in (".csv", ".xlsx"):
            if (rows := version / f"annotated{ending}").is_file() or ending == ".csv":
                durable_file_moves.copy(rows, self.folder / "annotated" / f"{stem}{ending}")
        for name in ON_TOP:
            if (version / name).is_file():
                durable_file_moves.copy(version / name, self.folder / name)
        durable_file_moves.replace_link_durably(self.model, f"versions/{job_id}/model")

    def check_writable(self) -> None:
        """Before anything is paid for, find out whether `publish_version` could write. Leaves nothing behind.

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
        for folder in (self.folder, *(self.folder / name for name in ("versions", "annotated", PILOTS, *LANES))):
            if folder.is_symlink():
                raise RefusedFileError("is a link, and would lead out of the models folder", where=Where(file=folder))
        for path in (self.folder / name for name in ON_TOP):
            if os.path.lexists(path) and (path.is_symlink() or not path.is_file()):
                raise _in_use(path)
        if os.path.lexists(self.model) and not self.model.is_symlink():
            raise _in_use(self.model)

    def discard(self, job_id: str) -> None:
        """Forget a version whose publishing did not come to its end; the current one stays."""
        if self.current != job_id and self.version(job_id).is_dir():
            durable_file_moves.remove_folder(self.version(job_id))

    def sweep(self) -> None:
        """Delete what cut-off writes left; before anything is published."""
        if not self.folder.is_symlink():
            for folder in (self.folder, *(self.folder / name for name in SWEPT)):
                durable_file_moves.sweep_cut_off_moves(folder)

    def _delete_old_versions(self, keep: int) -> None:
        """Delete the oldest versions, never the current one; ids differ first in the second of the claim."""
        versions = (self.folder / "versions").iterdir()
        others = sorted(one for one in versions if not one.name.startswith(".") and one.name != self.current)
        for version in others[: max(0, len(others) + 1 - keep)]:
            durable_file_moves.remove_folder(version)
            _log.info("an old version was deleted", model=self.name, version=version.name)


def _in_use(path: Path) -> RefusedFileError:
    hint = "move it away, or give the model another name"
    return RefusedFileError("is in use: it is nothing this service wrote", where=Where(file=path), hint=hint)


def twin_of(models: Path, name: str) -> str | None:
    """A model whose name differs from `name` only by case: on some shares the folders would be one."""
    names = {shelf.name for shelf in shelves(models)} - {name}
    return next((other for other in sorted(names) if other.casefold() == name.casefold()), None)


def shelves(models: Path) -> list[Shelf]:
    """Every model folder there is, by name. Links are not followed: nothing outside is ours; nor is a folder whose name
    no model could have."""
    if not models.is_dir():
        return []
    return [
        Shelf(models, entry.name)
        for entry in sorted(models.iterdir())
        if re.fullmatch(NAME_PATTERN, entry.name) and entry.is_dir() and not entry.is_symlink()
    ]
