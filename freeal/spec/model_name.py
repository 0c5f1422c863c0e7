"""From a file's name to a model's name."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata

from freeal.table.file_formats import data_stem


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
