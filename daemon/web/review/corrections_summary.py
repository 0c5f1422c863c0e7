"""What a version from the corrections would be told, and the file it is made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container
from pathlib import Path
from typing import Any

from daemon.review import write_answer_files
from daemon.review.review_log import Said
from daemon.review.write_answer_files import Filled
from daemon.web.review.review_desk import Edition
from freeal.row_index.row_search import IndexedRow


def write_corrections(edition: Edition, said: dict[str, Said], path: Path, drawn: Container[str]) -> dict[str, float]:
    """The corrections of texts that the version holds, without those of the sheet; which they are, and when said."""
    filled, given = [], {}
    for key, one, row, _ in _held_corrections(edition, said, drawn):
        filled.append((row.number, row.cells, str(one.said), one.note))
        given[key] = one.at
    rows: list[Filled] = list(filled)
    write_answer_files.write_answer_table(path, edition.about.text_columns, rows, column=write_answer_files.CORRECTED)
    return given


def _held_corrections(
    edition: Edition, said: dict[str, Said], drawn: Container[str]
) -> list[tuple[str, Said, IndexedRow, int]]:
    """(key, what was said, its row in this version, how many rows hold its text) of texts that the version holds and
    that are not on the sheet."""
    given = {key: one for key, one in said.items() if edition.about.knows(one.said) and key not in drawn}
    places = edition.index.holding([str(one.about["text"]) for one in given.values()])
    rows = edition.index.rows([number for number, _ in places.values()])
    found = []
    for key, one in given.items():
        place_of = places.get(str(one.about["text"]))
        if place_of is not None:
            found.append((key, one, rows[place_of[0]], place_of[1]))
    return found


def corrections_summary(edition: Edition, said: dict[str, Said], drawn: Container[str]) -> dict[str, Any]:
    """What a version from the corrections would be told."""
    answers = _held_corrections(edition, said, drawn)
    changes = Counter((row.label or "no label", str(one.said)) for _, one, row, _ in answers if row.label != one.said)
    given = sum(one.said is not None for one in said.values())
    on_sheet = sum(one.said is not None and key in drawn for key, one in said.items())
    return {
        "texts": len(answers),
        "rows": sum(count for *_, count in answers),
        "confirmed": len(answers) - sum(changes.values()),
        "changes": changes.most_common(),
        "on_sheet": on_sheet,
        "elsewhere": given - len(answers) - on_sheet,
    }
