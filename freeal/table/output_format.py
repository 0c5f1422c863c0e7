"""Rows written in the form that the name of an output asks for: CSV, a workbook made of one, or Parquet."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from freeal.table.file_formats import form_of
from freeal.table.workbook_writer import write_workbook


@contextlib.contextmanager
def rows_in_form(path: Path, *, name: str) -> Iterator[Path]:
    """Where to write rows that are to be at `path` in the form that `name` asks for: a CSV, or a workbook made of one,
    or Parquet."""
    if form_of(name) == "parquet" != form_of(path.name):  # poured into something else afterwards
        rows = path.with_suffix(".parquet")
        yield rows
        rows.replace(path)
        return
    if form_of(name) != "xlsx":
        yield path
        return
    rows = path.with_name(f".{path.name}.csv")
    yield rows
    copy_in_form_of_name(rows, path, name=name)
    rows.unlink()


def copy_in_form_of_name(source: Path, target: Path, *, name: str) -> None:
    """A copy of a CSV of ours at `target`, which appears when it is whole: a workbook where `name` ends so."""
    fresh = target.with_name(f".{target.name}.fresh")
    try:
        if form_of(name) == "xlsx":
            write_workbook(source, fresh)
        else:
            shutil.copyfile(source, fresh)
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)
