"""Names that nearly say what a file is: `reviews.yaml.txt`, `reviews.csv.yaml`, `Reviews.csv` beside `reviews.yaml`.

Nothing is renamed: whoever dropped a file is told what to call it. Pure.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePath

from freeal.table.file_formats import DATA_SUFFIXES, YAML_SUFFIXES, data_stem, is_data
from freeal.text.closest_name import nearest

SPEC_SUFFIXES = YAML_SUFFIXES

_ADDED = frozenset({".txt", ".text", ".bak", ".old", ".orig", ".doc", ".rtf", ".1"})
"""Endings that an editor or a browser puts behind the real one; Windows hides what is behind the last dot."""
_COPIED = re.compile(
    r"(?:\s*[-_ ]\s*(?:copy|copie|kopie|copia)(?:\s*\(?\d*\)?)?|\s*\(\d+\)|\s*\[\d+\])$", re.IGNORECASE
)


def composed(name: str) -> str:
    """The name in one spelling: macOS takes accents off their letters (NFD), everybody else leaves them on (NFC)."""
    return unicodedata.normalize("NFC", name)


def spec_stem(name: str) -> str:
    """What a spec's name begins with: the part that its table shares."""
    return composed(PurePath(name).stem)


def table_stem(name: str) -> str:
    """What a table's name begins with: the part that its spec shares."""
    return composed(data_stem(name))


def meant_file_name(name: str) -> str | None:
    """The name that a file should have which is neither table nor spec by its ending but was meant to be one."""
    known = (*SPEC_SUFFIXES, *DATA_SUFFIXES)
    bare = name.rstrip(". \t\u00a0")
    if bare != name and bare.lower().endswith(known):
        return bare
    path = PurePath(bare)
    if path.suffix.lower() in _ADDED and path.stem.lower().endswith(known):
        return path.stem
    copied = _COPIED.sub("", bare)
    if copied != bare and copied.lower().endswith(known):
        return copied
    if path.suffix and path.suffix.lower() not in known:
        guess = nearest(path.suffix.lower(), (".csv", ".yaml", ".jsonl", ".parquet", ".tsv"))
        return f"{path.stem}{guess}" if guess and _is_a_slip(path.suffix.lower(), guess) else None
    return None


def meant_spec_name(name: str) -> str | None:
    """The name a spec should have that took its table's ending along: `reviews.yaml` for `reviews.csv.yaml`."""
    stem = PurePath(name).stem
    if is_data(stem):
        return f"{data_stem(stem)}.yaml"
    return f"{PurePath(stem).stem}.yaml" if stem.lower().endswith(SPEC_SUFFIXES) else None


def meant_table_name(name: str) -> str | None:
    """The name a table should have that carries a second ending: `reviews.csv` for `reviews.csv.csv`."""
    stem = data_stem(name)
    if stem.lower().endswith(SPEC_SUFFIXES):
        return stem
    return stem if is_data(stem) else None


def loose(stem: str) -> str:
    """The stem without what people see past: case, blanks, signs, what a copy gets behind its name."""
    folded = unicodedata.normalize("NFKC", _COPIED.sub("", stem)).casefold()
    return re.sub(r"[\s._-]+", "", folded)


def _is_a_slip(suffix: str, known: str) -> bool:
    """Whether two endings have the same letters but for one: `.cvs`, `.yalm`, `.yaml_`."""
    return suffix not in {".xls", ".tar", ".sav"} and len(set(suffix) ^ set(known)) <= 1
