"""A model's name: what it may be, and what it is by default, from a file's name."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata

from freeal.table.file_formats import data_stem

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
"""A model's name is also a folder's name; nothing else may choose a path."""

_PORTS = {f"{kind}{digit}" for kind in ("com", "lpt") for digit in range(10)}
_DEVICES = {"con", "prn", "aux", "nul"} | _PORTS


def check_model_name(name: str) -> None:
    """Raises `ValueError` for a name that cannot be a folder's everywhere."""
    if re.fullmatch(NAME_PATTERN, name) is None:
        raise ValueError("must be 1 to 64 letters, digits, '.', '_' or '-', the first a letter or digit")
    if name.endswith(".") or name.split(".", maxsplit=1)[0].lower() in _DEVICES:
        raise ValueError("cannot be a folder's name on Windows: it is a device there, or loses its dot")


def plain_name(file_name: str) -> str:
    """A model's name made of a file's: its stem without accents, with all else a name may not hold replaced by `-`.

    Where that loses letters, a digest of the stem keeps two names of another script from becoming one model.
    """
    stem = unicodedata.normalize("NFC", data_stem(file_name))  # one name, however a system spells its accents
    folded = "".join(char for char in unicodedata.normalize("NFKD", stem) if not unicodedata.combining(char))
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", folded)[:64].strip("-._")
    if name and not any(char.isalnum() and not char.isascii() for char in folded):
        return name
    digest = hashlib.sha256(os.fsencode(stem)).hexdigest()[:6]
    return f"{name[:57] or 'unnamed'}-{digest}"
