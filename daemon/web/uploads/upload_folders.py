"""Files on their way from a browser to the inbox: a folder each below the state folder, removed when abandoned."""

from __future__ import annotations

import dataclasses
import json
import re
import secrets
import shutil
from pathlib import Path, PurePath
from typing import Any

from starlette.exceptions import HTTPException

from daemon.config import Settings
from daemon.host.clock import Clock
from daemon.inbox.file_name_advice import SPEC_SUFFIXES
from daemon.outbox.durable_file_moves import make_folder
from daemon.web.uploads.multipart_form import File
from freeal.files import atomic_write
from freeal.spec.model_name import plain_name
from freeal.table.file_formats import DATA_SUFFIXES, is_data

MEGABYTE = 1_000_000
ABANDONED_SECONDS = 3600.0
MOST_AT_ONCE = 10
SPEC_NAME = "spec.yaml"
EXAMPLES_SUFFIX = ".json"
_ABOUT = "about.json"
_ID = re.compile(r"[0-9a-f]{32}")


@dataclasses.dataclass(frozen=True, slots=True)
class Upload:
    """A CSV, perhaps with its spec, that waits for its reader to say what to do with it."""

    id: str
    folder: Path
    shown_name: str
    """As the browser named it: to be shown, never to be used as a path."""
    file_name: str
    has_spec: bool
    """Whether the spec came as a file."""
    waits_at: str = ""
    """Where the table stays, for one that lies in the inbox and only lacks its spec."""

    @property
    def data(self) -> Path:
        """The rows."""
        return Path(self.waits_at) if self.waits_at else self.folder / self.file_name

    @property
    def draft(self) -> Path:
        """What was typed so far."""
        return self.folder / "draft.json"

    @property
    def spec(self) -> Path:
        """The spec, where there is one yet."""
        return self.folder / SPEC_NAME

    @property
    def suffix(self) -> str:
        """Ending of the data file."""
        return suffix_of(self.file_name)

    @property
    def stem(self) -> str:
        """The data file's name without it."""
        return self.file_name[: -len(self.suffix)]


class Uploads:
    """The folder they lie in. Its methods block on the disk: call them in a thread."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._folder = settings.state / "uploads"
        self._settings = settings
        self._clock = clock
        self._touched: dict[str, float] = {}

    def clear(self) -> None:
        """Forget what a former daemon left: nobody's page knows of it any more."""
        shutil.rmtree(self._folder, ignore_errors=True)
        make_folder(self._folder).chmod(0o700)

    def begin_upload(self) -> Path:
        """An empty folder for one upload. Raises `HTTPException` 429 or 507."""
        self.sweep()
        if len(self._touched) >= MOST_AT_ONCE:
            raise HTTPException(429, detail="Too many uploads wait to be finished. Finish or discard one.")
        free = shutil.disk_usage(self._settings.state).free // MEGABYTE
        if free < self._settings.jobs.min_free_disk_mb + self._settings.web.max_upload_mb:
            raise HTTPException(507, detail=f"Only {free} MB of disk are free.")
        folder = self._folder / secrets.token_hex(16)
        folder.mkdir(parents=True)
        self._touched[folder.name] = self._clock.steady()
        return folder

    def keep_upload(self, folder: Path, files: list[File]) -> Upload | None:
        """Make an upload of what was received: a table to be described, or to be looked at with its spec. None for
        anything else that an inbox takes, a spec alone or several tables say. Raises `HTTPException` 400."""
        tables = [file for file in files if is_data(file.name)]
        specs = [file for file in files if file.name.lower().endswith(SPEC_SUFFIXES)]
        examples = [file for file in files if file.name.lower().endswith(EXAMPLES_SUFFIX)]
        if not tables + specs or len(files) != len(tables) + len(specs) + len(examples):
            kinds = " or ".join(DATA_SUFFIXES)
            raise HTTPException(
                400, detail=f"Tables ({kinds}) are expected, their specs (.yaml) and what examples these name (.json)."
            )
        if not all(table.size_bytes for table in tables):
            raise HTTPException(400, detail="The table is empty.")
        if len(tables) != 1 or len(specs) > 1:
            return None
        for file in examples:
            file.path.rename(folder / plain_file_name(file.name))
        shown = PurePath(tables[0].name.replace("\\", "/")).name
        suffix = suffix_of(shown)
        file_name = plain_name(shown[: -len(suffix)] + ".csv") + suffix
        tables[0].path.rename(folder / file_name)
        if specs:
            specs[0].path.rename(folder / SPEC_NAME)
        about: dict[str, Any] = {"shown_name": shown, "file_name": file_name, "has_spec": bool(specs)}
        atomic_write.write_json(folder / _ABOUT, about)
        return Upload(id=folder.name, folder=folder, **about)

    def upload_of_waiting_table(self, path: Path) -> Upload:
        """Make an upload of a table that waits in the inbox for its spec; it stays there. Raises `HTTPException`."""
        folder = self.begin_upload()
        suffix = suffix_of(path.name)
        file_name = plain_name(path.name[: -len(suffix)] + ".csv") + suffix
        about = {"shown_name": path.name, "file_name": file_name, "has_spec": False, "waits_at": str(path)}
        atomic_write.write_json(folder / _ABOUT, about)
        return Upload(id=folder.name, folder=folder, **about)  # type: ignore[arg-type]

    def get_upload(self, upload_id: str) -> Upload | None:
        """An upload by its id, or None when there is none (any more)."""
        if _ID.fullmatch(upload_id) is None or upload_id not in self._touched:
            return None
        folder = self._folder / upload_id
        try:
            about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
        except OSError:
            return None
        self._touched[upload_id] = self._clock.steady()
        return Upload(id=upload_id, folder=folder, **about)

    def discard(self, folder: Path) -> None:
        """Remove one."""
        shutil.rmtree(folder, ignore_errors=True)
        self._touched.pop(folder.name, None)

    def sweep(self) -> None:
        """Remove those nobody came back to."""
        now = self._clock.steady()
        for name in [name for name, at in self._touched.items() if now - at > ABANDONED_SECONDS]:
            self.discard(self._folder / name)


def suffix_of(name: str) -> str:
    """The ending by which a name is a table's; empty where it is none."""
    fitting = [suffix for suffix in DATA_SUFFIXES if name.lower().endswith(suffix)]
    return max(fitting, key=len, default="")


def plain_file_name(name: str) -> str:
    """A file's name as the browser gave it, without what no name of a file of ours may hold; its ending stays."""
    shown = PurePath(name.replace("\\", "/")).name
    suffix = suffix_of(shown) or PurePath(shown).suffix
    return plain_name(shown[: -len(suffix)] + ".csv") + suffix.lower()
