"""What the columns of an unknown table may be: text to be read, an id, true labels. A guess to start from, for people.

Names are believed first ("ticket_id", "label"), then what stands in the first rows: texts have several words, labels
recur, ids are short and never the same, and dates and numbers say nothing to a reader.
"""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Sequence

_ID_NAME = re.compile(r"(^|[\W_])(id|ids|uuid|guid|key|nr|no|nummer|number|ticket|index)$|^(id|nr)[\W_]")
_LABEL_NAME = re.compile(
    r"(^|[\W_])(labels?|sentiment|category|categories|class|target|truth|gold|checked|reviewed"
    r"|kategorie|klasse|gepruft|wahrheit|thema|topic|etikett)$|^y$"
)
_MEASURE = re.compile(r"[\d\s.,:;/+\-%€$£TZ]+")
TEXT_WORDS = 2.5
"""On average, of the values that are there: what has fewer words is a name or a number."""
LEAST_ROWS = 5
"""Fewer say nothing about what recurs."""
MOST_LABELS = 20
_LABEL_CHARACTERS = 40


@dataclasses.dataclass(frozen=True, slots=True)
class ColumnRoles:
    """Columns by what they seem to be; `texts` is never empty where there is a column."""

    texts: tuple[str, ...]
    id_column: str | None = None
    label_column: str | None = None


def guess_column_roles(header: Sequence[str], rows: Sequence[Sequence[str]] = ()) -> ColumnRoles:
    """The roles of the columns of a table with these first rows, which may be none."""
    values = {name: [row[at].strip() for row in rows if at < len(row)] for at, name in enumerate(header)}
    filled = {name: [value for value in found if value] for name, found in values.items()}
    ids = [name for name in header if _ID_NAME.search(_plain(name)) and not _reads_like_text(filled[name])]
    ids = ids or [name for name in header[:1] if _counts(filled[name])]
    labels = [name for name in header if _LABEL_NAME.search(_plain(name)) and not _reads_like_text(filled[name])]
    left = [name for name in header if name not in {*ids[:1], *labels[:1]}]
    texts = [name for name in left if _may_be_text(filled[name])]
    if not labels and len(texts) > 1:
        labels = [name for name in texts if _recurs(filled[name])][:1]
        texts = [name for name in texts if name not in labels]
    return ColumnRoles(
        tuple(texts or left or header), ids[0] if ids and left else None, labels[0] if labels and left else None
    )


def _plain(name: str) -> str:
    """Lower case, without accents: "geprüft" is "gepruft"."""
    apart = unicodedata.normalize("NFKD", name.strip().casefold())
    return "".join(character for character in apart if not unicodedata.combining(character))


def _reads_like_text(values: Sequence[str]) -> bool:
    return bool(values) and sum(len(value.split()) for value in values) / len(values) >= TEXT_WORDS


def _may_be_text(values: Sequence[str]) -> bool:
    """Not dates and numbers alone."""
    return not values or not all(_MEASURE.fullmatch(value) for value in values)


def _counts(values: Sequence[str]) -> bool:
    """Never the same, one word each, with a digit: numbers of rows, of tickets."""
    known = len(values) >= LEAST_ROWS and len(set(values)) == len(values)
    return known and all(len(value.split()) == 1 and re.search(r"\d", value) for value in values)


def _recurs(values: Sequence[str]) -> bool:
    """Few different short values, most of them several times."""
    different = set(values)
    few = len(values) >= LEAST_ROWS and 2 <= len(different) <= min(MOST_LABELS, len(values) // 2)
    return few and not _reads_like_text(values) and max(map(len, different)) <= _LABEL_CHARACTERS
