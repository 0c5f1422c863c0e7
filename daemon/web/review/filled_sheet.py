"""A blind sheet as it was filled in on the page, and the file of it that is handed in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from daemon.review import write_answer_files
from daemon.review.review_log import Said
from daemon.web.review.label_page import CANNOT_SAY, Stack, key_of
from daemon.web.review.review_desk import SheetLine


def write_filled_sheet(stack: Stack, lines: Sequence[SheetLine], path: Path) -> dict[str, float]:
    """The filled sheet of a version as a CSV; which cards it answers, and when each was answered."""
    edition = stack.edition
    rows = edition.index.rows([line.number for line in lines])
    filled = [(number, rows[number].cells, said, note) for number, said, note in filled_sheet_lines(lines, stack.said)]
    write_answer_files.write_answer_table(path, edition.about.text_columns, filled, column=write_answer_files.CERTIFIED)
    return {card.key: stack.said[card.key].at for card in stack.cards if card.key in stack.said}


def filled_sheet_lines(lines: Sequence[SheetLine], said: dict[str, Said]) -> list[tuple[int, str, str]]:
    """A sheet as it is filled in: (row number, what was said or "", comment), in its order. A skip says CANNOT_SAY:
    its line is open no longer, so it must count."""
    found = []
    for line in lines:
        one = said.get(key_of(line.text))
        answer = "" if one is None else CANNOT_SAY if one.said is None else str(one.said)
        found.append((line.number, answer, one.note if one else ""))
    return found
