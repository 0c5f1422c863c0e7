"""Answers as the files that a person would drop into `models/<name>/corrections/`: corrections, a filled sheet,
answered boundary questions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from freeal.files import atomic_write
from freeal.table import write_rows

CORRECTED, CERTIFIED, ROW, COMMENT = "freeal_corrected", "freeal_certified", "freeal_row", "freeal_comment"

Filled = tuple[int, Sequence[str], str, str]
"""A row's number, its cells of the text columns, what was said ("" where nothing was), the comment."""


def write_answer_table(path: Path, text_columns: Sequence[str], rows: Iterable[Filled], *, column: str) -> None:
    """Corrections (`column` CORRECTED) or a sheet (CERTIFIED), as CSV."""
    header = [ROW, *text_columns, column, COMMENT]
    with atomic_write.writing(path) as stream:
        lines = ([str(number), *cells, said, note] for number, cells, said, note in rows)
        write_rows(stream, header, lines, delimiter=",")


def write_boundary_answers(
    path: Path, version: str, pairs: Sequence[Mapping[str, Any]], answers: Mapping[str, Any]
) -> None:
    """boundaries.yaml as a person would hand it in: what was answered (by `key_of_pair`); pairs without an answer are
    left out."""
    answered = [
        {"between": list(pair["between"]), "question": pair["question"], "answer": answers[key]}
        for pair in pairs
        if (key := key_of_pair(pair["between"])) in answers
    ]
    with atomic_write.writing(path) as stream:
        yaml.safe_dump({"version": version, "pairs": answered}, stream, sort_keys=False, allow_unicode=True, width=100)


def key_of_pair(between: Sequence[str]) -> str:
    """What stands for a pair of labels in the log."""
    return json.dumps(list(between), ensure_ascii=False)
