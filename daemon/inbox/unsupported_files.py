"""What is dropped although nothing can be made of it: said with what to do instead. Pure."""

from __future__ import annotations

from pathlib import PurePath

from daemon.inbox import file_name_advice

NOTE_SUFFIX = ".waiting.txt"
"""Ending of the notes this service leaves beside a CSV."""

OF_THE_INBOX = frozenset({"done", "failed", "samples"})
"""Folders that belong there."""

_QUIET_NAMES = frozenset({"thumbs.db", "desktop.ini"})
_QUIET_SUFFIXES = frozenset({".json"})
"""A spec may name a file of examples, which stays for the next spec that does."""

_SPREADSHEETS = frozenset({".xls", ".xlsb", ".ods", ".numbers"})
_ARCHIVES = frozenset({".zip", ".7z", ".rar", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".zst"})
_DOCUMENTS = frozenset({".docx", ".doc", ".odt", ".rtf", ".pdf", ".html", ".htm", ".txt", ".md"})


def refusal(kind: str) -> str:
    """Why an entry of this kind, which is neither file nor folder, is not taken, and what to do."""
    return f"is a {kind}, not a file: refused; put the file itself here"


def advice_on_unsupported(name: str, kind: str, *, own_folders: frozenset[str] = frozenset()) -> str | None:
    """Why an entry that is neither data nor a spec is not taken, and what to do; None for what may lie there.

    `kind` is that of its sighting.
    """
    if kind == "folder":
        return None if name in own_folders else "is a folder, which is not looked into: move its files up, beside it"
    if kind != "file":
        return refusal(kind)
    lowered, suffix = name.lower(), PurePath(name).suffix.lower()
    if lowered in _QUIET_NAMES or lowered.startswith("readme") or lowered.endswith((NOTE_SUFFIX, *_QUIET_SUFFIXES)):
        return None
    if wanted := file_name_advice.meant_file_name(name):
        return f"a file is what stands behind its last dot, which some systems hide: rename it to {wanted}"
    if suffix in _SPREADSHEETS:
        return "is a spreadsheet: save it as .xlsx or CSV (UTF-8) and drop that"
    if suffix in _ARCHIVES:
        return "is an archive: unpack it and drop the CSV in it"
    if suffix in _DOCUMENTS:
        return "is a document: rows are needed, so make it a CSV whose first line names the columns"
    return "is no table this service reads: drop a CSV whose first line names the columns"
