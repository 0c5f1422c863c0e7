"""Which files are tables to us, by name. Light: the daemon's own process reads this and never the tables."""

from __future__ import annotations

from pathlib import PurePath
from typing import Literal

Form = Literal["csv", "tsv", "jsonl", "parquet", "xlsx"]
"""How the rows of a file are told apart; any text may be packed with gzip."""

_FORMS: dict[str, Form] = {
    ".csv": "csv",
    ".csv.gz": "csv",
    ".tsv": "tsv",
    ".tsv.gz": "tsv",
    ".jsonl": "jsonl",
    ".jsonl.gz": "jsonl",
    ".ndjson": "jsonl",
    ".ndjson.gz": "jsonl",
    ".parquet": "parquet",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
}

DATA_SUFFIXES = tuple(_FORMS)
"""Endings of the files that hold rows, lower case; an ending may have two parts."""
YAML_SUFFIXES = (".yaml", ".yml")


def is_data(name: str) -> bool:
    """Whether a file of this name holds rows."""
    return _suffix(name) is not None


def is_yaml(name: str) -> bool:
    """Whether a file of this name is YAML: a spec, or answers to boundary questions."""
    return name.lower().endswith(YAML_SUFFIXES)


def data_stem(name: str) -> str:
    """The name without its ending: `reviews` for `reviews.csv.gz`. A name that holds no rows loses its last suffix."""
    suffix = _suffix(name)
    return PurePath(name).stem if suffix is None else PurePath(name).name[: -len(suffix)]


def form_of(name: str) -> Form:
    """What a file of this name is read as; CSV where the name does not say."""
    return _FORMS[_suffix(name) or ".csv"]


def is_plain_csv(name: str) -> bool:
    """Whether the name is that of an unpacked CSV, or says nothing: its results keep its delimiter."""
    return _suffix(name) in (None, ".csv")


def _suffix(name: str) -> str | None:
    found = [suffix for suffix in DATA_SUFFIXES if name.lower().endswith(suffix)]
    return max(found, key=len, default=None)
