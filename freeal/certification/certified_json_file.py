"""`certified.json` of a version: the sheet that was drawn from it and what a person answered.

The answers measure and do nothing else: their texts are never demonstrations, and no answer is trained on. Where a
person corrects the label of such a text, the models are told after all, and what was measured is withdrawn.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

from freeal.certification.sheet_draw import Draw
from freeal.errors import CorruptModelError, Where
from freeal.files import atomic_write
from freeal.pool.text_pool import EMPTY, Pool

FILE_NAME = "certified.json"
FORMAT = 1
_MEND = "restore it from a copy, or delete it: then no sheet was ever drawn"


@dataclasses.dataclass(frozen=True, slots=True)
class CertifiedRows:
    """A draw and its answers (row, from 0 -> a label, or what blind_sheet.py takes beside the labels).

    `texts` (row -> text) are those of the lines, `rows_sha256` tells the file's rows from those of another;
    `day` is when they were answered last, ISO 8601, "" before.
    """

    draw: Draw
    texts: Mapping[int, str]
    rows_sha256: str = ""
    answers: Mapping[int, str] = dataclasses.field(default_factory=dict)
    day: str = ""

    @property
    def answered_texts(self) -> frozenset[str]:
        """The texts that a person looked at."""
        return frozenset(self.texts[row] for row in self.answers)

    def is_of(self, pool: Pool) -> bool:
        """Whether the pool's rows are those that were drawn from, perhaps with others behind them."""
        return self.rows_sha256 == digest_of_rows(pool, rows=len(self.draw.stratum))

    def told(self, said: Container[str]) -> frozenset[str]:
        """Texts looked at whose label a person has told the models since: what was `said` is a correction."""
        return frozenset(text for text in self.answered_texts if text in said)

    def kept_out(self, pool: Pool) -> frozenset[int]:
        """Pool indices of everything that was drawn, with its near duplicates: never demonstrations."""
        texts = set(self.texts.values())
        groups = {pool.group(index) for index, text in enumerate(pool.texts) if text in texts}
        return frozenset(index for index in range(len(pool)) if pool.group(index) in groups)


def certified_rows_of_draw(draw: Draw, pool: Pool, *, before: CertifiedRows | None = None) -> CertifiedRows:
    """What certified.json holds of a new draw from the rows of a pool; of a longer one also the answers `before` it."""
    texts = {line.row: pool.texts[pool.row_index[line.row]] for line in draw.lines}
    rows = digest_of_rows(pool, rows=len(draw.stratum))
    if before is None:
        return CertifiedRows(draw, texts, rows)
    return dataclasses.replace(before, draw=draw, texts=texts)


def digest_of_rows(pool: Pool, *, rows: int) -> str:
    """SHA-256 of the texts of the first `rows` rows."""
    found = hashlib.sha256()
    for index in pool.row_index[:rows]:
        text = "" if index == EMPTY else pool.texts[index]
        found.update(json.dumps(text).encode() + b"\n")
    return found.hexdigest()


def read_certified(version: Path) -> CertifiedRows | None:
    """What was drawn and answered; None where no sheet was drawn. Raises `CorruptModelError`."""
    path = version / FILE_NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise CorruptModelError("is of another version of this software", where=Where(file=path))
        return CertifiedRows(
            draw=Draw.of(content["draw"]),
            texts={int(row) - 1: str(text) for row, text in content["texts"].items()},
            rows_sha256=str(content["rows_sha256"]),
            answers={int(row) - 1: str(answer) for row, answer in content["answers"].items()},
            day=str(content["day"]),
        )
    except FileNotFoundError:
        return None
    except OSError as cause:
        raise CorruptModelError(f"cannot be read: {cause.strerror}", where=Where(file=path)) from cause
    except (ValueError, KeyError, TypeError, AttributeError) as cause:
        raise CorruptModelError(f"makes no sense: {cause}", where=Where(file=path), hint=_MEND) from cause


def write_certified(version: Path, rows: CertifiedRows) -> None:
    """Keep it beside the version's results."""
    content: dict[str, Any] = {
        "format": FORMAT,
        "day": rows.day,
        "rows_sha256": rows.rows_sha256,
        "answers": {str(row + 1): answer for row, answer in sorted(rows.answers.items())},
        "texts": {str(row + 1): text for row, text in rows.texts.items()},
        "draw": rows.draw.as_dict(),
    }
    atomic_write.write_json(version / FILE_NAME, content)
