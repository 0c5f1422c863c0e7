"""`NAME.csv.waiting.txt`: a note beside a CSV whose spec never came, for people who see the folder and nothing else.

It says what is missing and shows a spec to start from. It goes away when its CSV is taken, gets a spec or goes away.
"""

from __future__ import annotations

import itertools
import json
import os
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import structlog

from daemon.config import Settings
from daemon.host.fault_guard import Guard
from daemon.inbox.file_sightings import Sighting
from daemon.inbox.inbox_scan import Scan
from daemon.inbox.unsupported_files import NOTE_SUFFIX
from freeal.errors import FreealError
from freeal.files import atomic_write, regular_file
from freeal.table import RowReader, column_roles
from freeal.table.column_roles import ColumnRoles
from freeal.table.csv_format import CsvFormat
from freeal.table.file_formats import data_stem, form_of

_log = structlog.get_logger(__name__)

MARK = "This note was left by the FreeAL service"
"""How a note of ours begins; no other file is ever removed."""
SAMPLE_BYTES = 64 * 1024
"""So much of a CSV is read for its header, however long its first line is."""
_MOST_COLUMNS = 50
_UNREAD = ColumnRoles(())
_GZIP = 31
"""What zlib calls the gzip format, with the largest window."""
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_ROWS_READ = 50


class Notes:
    """Writes and removes them. Blocks on the disk: call it in a thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._handled: dict[str, Sighting] = {}
        """CSVs that have had their note: somebody who deletes it does not get it again."""

    def adopt(self, settings: Settings) -> None:
        """Go on with other settings."""
        self._settings = settings

    def update_notes(self, scan: Scan, now: float) -> None:
        """Bring the notes in line with a look at the inbox. `now` is steady seconds."""
        lacking = {entry.name: entry.reason for entry in scan.pairs.waiting if entry.lacks_spec}
        for name in [name for name in scan.observations if name.endswith(NOTE_SUFFIX)]:
            if name.removesuffix(NOTE_SUFFIX) not in lacking:
                self._remove_note(self._settings.inbox / name)
        self._handled = {name: seen for name, seen in self._handled.items() if name in lacking}
        for name in sorted(lacking):
            observation = scan.observations[name]
            is_due = observation.since + self._settings.watch.pair_timeout_seconds <= now
            if is_due and observation.sighting.size and self._handled.get(name) != observation.sighting:
                self._handled[name] = observation.sighting
                with Guard("a note", file=name):
                    self._write_note(name, lacking[name])

    def _write_note(self, name: str, reason: str) -> None:
        path = self._settings.inbox / f"{name}{NOTE_SUFFIX}"
        try:
            roles = _guess_column_roles(self._settings.inbox / name, self._settings.state)
            if os.path.lexists(path) and not _is_ours(path):
                return
            with atomic_write.writing(path) as stream:
                stream.write(note_text(name, roles, reason=reason))
        except OSError as cause:  # an inbox we may not write to, a name too long for one more ending
            _log.info("no note could be left beside a file that waits", file=name, problem=str(cause))

    def _remove_note(self, path: Path) -> None:
        try:
            if _is_ours(path):
                path.unlink()
        except OSError as cause:
            _log.info("a note could not be removed", file=path.name, problem=str(cause))


def note_text(name: str, roles: ColumnRoles, *, reason: str = "") -> str:
    """The note for a CSV of this name whose columns seem to be these, and which waits for `reason`; no columns: they
    could not be read."""
    spec = f"{data_stem(name)}.yaml"
    renamed = [f"{reason[:1].upper()}{reason[1:]}. Otherwise:"] if "rename" in reason else []
    lines = [
        f"{MARK}, which removes it when {name} has been taken.",
        "",
        f"{name} waits: there is no spec beside it, so nobody knows what its labels are.",
        *renamed,
        f"Save the lines below the rule as {spec} in this folder, with your own description and labels.",
        "The job then begins by itself. All keys are explained in docs/reference/spec.md.",
        "",
        "-" * 72,
        *_suggested_spec_lines(name, roles),
    ]
    return "\n".join(lines) + "\n"


def _suggested_spec_lines(name: str, roles: ColumnRoles) -> Iterator[str]:
    yield "description: Say in a sentence what is to be decided about each text."
    yield "labels:"
    yield "  first: what this label means"
    yield "  second: what that one means"
    if not roles.texts:
        yield f"# The columns of {name} could not be read: is it a table whose first line names them?"
        return
    shown = ", ".join(_quoted(column) for column in roles.texts[:_MOST_COLUMNS])
    yield f"text_columns: [{shown}]  # leave only those that are to be read"
    if roles.id_column is not None:
        yield f"id_column: {_quoted(roles.id_column)}"
    if roles.label_column is not None:
        column = _quoted(roles.label_column)
        yield f"# label_column: {column}  # if it holds true labels: only compared with, never learned from"


def _quoted(column: str) -> str:
    """As YAML: a column may be called anything. What can be read stays readable, whatever its script."""
    written = json.dumps(column, ensure_ascii=False)
    return "".join(one if one.isprintable() else f"\\U{ord(one):08x}" for one in written)


def _guess_column_roles(csv: Path, scratch: Path) -> ColumnRoles:
    """What its columns seem to be, from a copy of the file's start; none where it cannot be read. Raises `OSError`."""
    if form_of(csv.name) in ("parquet", "xlsx"):  # their ends are needed, and readers too heavy for this process
        return _UNREAD
    start = regular_file.read(csv, most_bytes=SAMPLE_BYTES - 1, links="refuse")
    name = csv.name
    if name.lower().endswith(".gz"):  # 60 KB may unpack to 60 MB
        name, start = name[: -len(".gz")], _unpack_sample(start)
    if len(start) == SAMPLE_BYTES and not start.startswith(_UTF_16):
        start = start[: start.rfind(b"\n") + 1] or start
    with tempfile.NamedTemporaryFile(dir=scratch, prefix=".header.", suffix=f".{name[-20:]}") as sample:
        sample.write(start)
        sample.flush()
        try:
            with RowReader(Path(sample.name), CsvFormat()) as reader:
                return column_roles.guess_column_roles(reader.header, _first_rows(reader))
        except (FreealError, EOFError, UnicodeError) as cause:
            _log.debug("the header of a file that waits cannot be read", file=csv.name, problem=str(cause))
            return _UNREAD


def _first_rows(reader: RowReader) -> list[Sequence[str]]:
    """As many as can be read: the copy is cut off somewhere."""
    rows: list[Sequence[str]] = []
    try:
        rows.extend(row for _, row in itertools.islice(reader, _ROWS_READ))
    except (FreealError, EOFError, UnicodeError) as cause:
        _log.debug("the first rows of a file that waits end early", rows=len(rows), problem=str(cause))
    return rows


def _unpack_sample(packed: bytes) -> bytes:
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
