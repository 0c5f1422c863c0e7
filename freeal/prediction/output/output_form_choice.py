"""The form of a prediction: a CSV, or Parquet where the output's name says so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from freeal.prediction.output import parquet_form
from freeal.prediction.output.csv_form import CsvForm
from freeal.prediction.output.output_cells import OutputColumns
from freeal.prediction.output.output_form import OutputForm
from freeal.table.csv_parsing.dialect import Dialect
from freeal.table.file_formats import form_of


def check(output: Path) -> None:
    """Raises `ConfigError` where the form that `output` is named after cannot be written here."""
    if form_of(output.name) == "parquet":
        parquet_form.import_arrow(output)


def make(output: Path, columns: OutputColumns, *, header: Sequence[str], dialect: Dialect) -> OutputForm:
    """The form for `output`, of a table with that header. Raises `ConfigError` as `check` does."""
    if form_of(output.name) == "parquet":
        return parquet_form.ParquetForm(output, columns, header=header)
    return CsvForm(header, columns, dialect=dialect)
