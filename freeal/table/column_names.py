"""Columns by name."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from freeal.errors import InputError, Where
from freeal.text.closest_name import nearest

_MOST_NAMES_SHOWN = 30
IMPORT_ID = '{"ImportId"'
"""How the cells of the third line of a Qualtrics export begin."""
_AROUND = "\ufeff \t\r\n"


def find_column(header: Sequence[str], name: str, *, role: str, path: Path, line: int = 1) -> int:
    """Position of `name` in a header, which stands on `line`; `InputError` when it is missing or stands there twice."""
    positions = [position for position, column in enumerate(header) if column == name]
    if not positions:  # an accent may be a letter's own (NFC) or stand behind it (NFD, as macOS writes): one name
        composed = unicodedata.normalize("NFC", name)
        positions = [place for place, column in enumerate(header) if unicodedata.normalize("NFC", column) == composed]
    if len(positions) == 1:
        return positions[0]
    where = Where(file=path, line=line, column=name)
    if positions:
        places = ", ".join(str(position + 1) for position in positions)
        raise InputError(
            f"{role} names a column that stands {len(positions)} times",
            where=where,
            hint=f"it is number {places} of the header: rename all but one, or name other columns",
        )
    guess = nearest(name, header)
    shown = ", ".join(header[:_MOST_NAMES_SHOWN]) + (", ..." if len(header) > _MOST_NAMES_SHOWN else "")
    hint = f"did you mean {guess!r}?" if guess else f"rename it in the table, or name one that is there: {shown}"
    raise InputError(f"{role} names a column that is not there", where=where, hint=hint)


def repeats_header(row: Sequence[str], header: Sequence[str]) -> bool:
    """Whether a row is the header once more, as tables that were put together have it."""
    if len(row) != len(header) or not any(header):
        return False
    return all(value.strip(_AROUND) == name.strip(_AROUND) for value, name in zip(row, header, strict=True))


def told_names(header: Sequence[str], *, width: int, path: Path) -> tuple[str, ...]:
    """The names a spec gives (`csv.header`) to the `width` columns of a table without a header. Raises `InputError`."""
    if len(header) != width:
        raise InputError(
            f"names {len(header)} columns, but the first line has {width} value{'' if width == 1 else 's'}",
            where=Where(file=path, key="csv.header"),
            hint="give each column a name, in order",
        )
    return tuple(header)


def numbered_names(width: int) -> tuple[str, ...]:
    """What the columns of a table without a header are called."""
    return tuple(f"column_{number}" for number in range(1, width + 1))


def free_name(wanted: str, taken: Iterable[str]) -> str:
    """`wanted`, or `wanted_2`, `wanted_3`, ... where it is taken."""
    used = set(taken)
    return next(
        name for name in itertools.chain([wanted], (f"{wanted}_{n}" for n in itertools.count(2))) if name not in used
    )
