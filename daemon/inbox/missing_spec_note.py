"""`NAME.csv.waiting.txt`: a note beside a CSV whose spec never came, for people who see the folder and nothing else.

It says what is missing and shows a spec to start from. It goes away when its CSV is taken, gets a spec or goes away.
"""

from __future__ import annotations

import json
import os
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import structlog

from daemon.config import Settings
from daemon.host.fault_guard import Guard
from daemon.inbox.file_stability import Sighting
from daemon.inbox.folder_scan import Scan
from daemon.inbox.unsupported_files import NOTE_SUFFIX
from freeal.errors import FreealError
from freeal.files import atomic_write, regular_file
from freeal.table import RowReader
from freeal.table.csv_format import CsvFormat
from freeal.table.file_formats import data_stem, form_of

_log = structlog.get_logger(__name__)

MARK = "This note was left by the FreeAL service"
"""How a note of ours begins; no other file is ever removed."""
SAMPLE_BYTES = 64 * 1024
"""So much of a CSV is read for its header, however long its first line is."""
_MOST_COLUMNS = 50
_GZIP = 31
"""What zlib calls the gzip format, with the largest window."""
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_TRUTH = ("label", "labels", "sentiment", "category", "class", "target", "truth", "y")


class Notes:
    """Writes and removes them. Blocks on the disk: call it in a thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._handled: dict[str, Sighting] = {}
        """CSVs that have had their note: somebody who deletes it does not get it again."""

    def adopt(self, settings: Settings) -> None:
        """Go on with other settings."""
        self._settings = settings

    def update(self, scan: Scan, now: float) -> None:
        """Bring the notes in line with a look at the inbox. `now` is steady seconds."""
        lacking = {entry.name for entry in scan.pairs.waiting if entry.lacks_spec}
        for name in [name for name in scan.observations if name.endswith(NOTE_SUFFIX)]:
            if name.removesuffix(NOTE_SUFFIX) not in lacking:
                self._remove(self._settings.inbox / name)
        self._handled = {name: seen for name, seen in self._handled.items() if name in lacking}
        for name in sorted(lacking):
            observation = scan.observations[name]
            is_due = observation.since + self._settings.watch.pair_timeout_seconds <= now
            if is_due and observation.sighting.size and self._handled.get(name) != observation.sighting:
                self._handled[name] = observation.sighting
                with Guard("a note", file=name):
                    self._write(name)

    def _write(self, name: str) -> None:
        path = self._settings.inbox / f"{name}{NOTE_SUFFIX}"
        try:
            columns = _columns(self._settings.inbox / name, self._settings.state)
            if os.path.lexists(path) and not _is_ours(path):
                return
            with atomic_write.writing(path) as stream:
                stream.write(text(name, columns))
        except OSError as cause:  # an inbox we may not write to, a name too long for one more ending
            _log.info("no note could be left beside a file that waits", file=name, problem=str(cause))

    def _remove(self, path: Path) -> None:
        try:
            if _is_ours(path):
                path.unlink()
        except OSError as cause:
            _log.info("a note could not be removed", file=path.name, problem=str(cause))


def text(name: str, columns: Sequence[str]) -> str:
    """The note for a CSV of this name. No columns: they could not be read."""
    spec = f"{data_stem(name)}.yaml"
    lines = [
        f"{MARK}, which removes it when {name} has been taken.",
        "",
        f"{name} waits: there is no spec beside it, so nobody knows what its labels are.",
        f"Save the lines below the rule as {spec} in this folder, with your own description and labels.",
        "The job then begins by itself. All keys are explained in the README.",
        "",
        "-" * 72,
        *_spec_lines(name, columns),
    ]
    return "\n".join(lines) + "\n"


def _spec_lines(name: str, columns: Sequence[str]) -> Iterator[str]:
    yield "description: Say in a sentence what is to be decided about each text."
    yield "labels:"
    yield "  first: what this label means"
    yield "  second: what that one means"
    if not columns:
        yield f"# The columns of {name} could not be read: is it a table whose first line names them?"
        return
    ids = [column for column in columns if column.lower() == "id" or column.lower().endswith("_id")]
    truths = [column for column in columns if column.lower() in _TRUTH]
    texts = [column for column in columns if column not in {*ids[:1], *truths[:1]}] or list(columns)
    shown = ", ".join(_quoted(column) for column in texts[:_MOST_COLUMNS])
    yield f"text_columns: [{shown}]  # leave only those that are to be read"
    if ids and ids[0] not in texts:
        yield f"id_column: {_quoted(ids[0])}"
    if truths and truths[0] not in texts:
        yield f"# label_column: {_quoted(truths[0])}  # if it holds true labels: only compared with, never learned from"


def _quoted(column: str) -> str:
    """As YAML: a column may be called anything."""
    return json.dumps(column)


def _columns(csv: Path, scratch: Path) -> tuple[str, ...]:
    """The header, read from a copy of the file's start; empty where it cannot be read. Raises `OSError`."""
    if form_of(csv.name) == "parquet":  # its header stands at the end, and its reader is too heavy for this process
        return ()
    start = regular_file.read(csv, most_bytes=SAMPLE_BYTES - 1, links="refuse")
    name = csv.name
    if name.lower().endswith(".gz"):  # 60 KB may unpack to 60 MB
        name, start = name[: -len(".gz")], _unpacked(start)
    if len(start) == SAMPLE_BYTES and not start.startswith(_UTF_16):
        start = start[: start.rfind(b"\n") + 1] or start
    with tempfile.NamedTemporaryFile(dir=scratch, prefix=".header.", suffix=f".{name[-20:]}") as sample:
        sample.write(start)
        sample.flush()
        try:
            with RowReader(Path(sample.name), CsvFormat()) as reader:
                return tuple(reader.header)
        except (FreealError, EOFError, UnicodeError) as cause:
            _log.debug("the header of a file that waits cannot be read", file=csv.name, problem=str(cause))
            return ()


def _unpacked(packed: bytes) -> bytes:
    """The first SAMPLE_BYTES of what was packed with gzip, or less; empty where it is no gzip."""
    try:
        return zlib.decompressobj(wbits=_GZIP).decompress(packed, SAMPLE_BYTES)
    except zlib.error:
        return b""


def _is_ours(path: Path) -> bool:
    try:
        return regular_file.read(path, most_bytes=len(MARK) - 1, links="refuse") == MARK.encode()
    except FileNotFoundError:
        return False
