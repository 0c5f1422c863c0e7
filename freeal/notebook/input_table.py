"""What a notebook hands over, as a table: a data frame, a list of texts, or the path of a file."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freeal.errors import InputError, Where
from freeal.files import atomic_write
from freeal.spec.job_spec import Spec
from freeal.table import write_rows
from freeal.table.csv_format import CsvFormat

if TYPE_CHECKING:
    import pandas as pd

TEXT_COLUMN = "text"
"""What the column of bare texts is called where nothing names it."""
FILE_NAME = "input.csv"
_AS_WRITTEN = CsvFormat(
    encoding="utf-8",
    delimiter=",",
    quoting="minimal",
    skip_rows=0,
    header="first",
    skip_rows_after_header=0,
    repeated_header="keep",
    ragged="refuse",
)


@dataclasses.dataclass(frozen=True, slots=True)
class InputTable:
    """Rows on their way into a run: `path` is a file that is there already, else `frame` holds them."""

    spec: Spec
    frame: pd.DataFrame | None = None
    path: Path | None = None

    def input_file_in(self, folder: Path) -> Path:
        """The file to read: the one that was named, or the rows written into `folder`. Raises `InputError`."""
        if self.path is not None:
            return self.path
        path = folder / FILE_NAME
        header, rows = frame_cells(self.frame)
        try:
            with atomic_write.writing(path) as stream:
                write_rows(stream, header, rows, delimiter=",")
        except UnicodeEncodeError as cause:
            problem = f"a value holds half a character (a lone surrogate), {cause.object[cause.start]!a}"
            raise InputError(problem, hint="clean the texts: text.encode('utf-8', 'replace').decode()") from cause
        return path


def input_table(data: Any, spec: Spec) -> InputTable:
    """The rows of `data` and the spec that fits them. Raises `InputError` for what is no table."""
    if isinstance(data, str | Path):
        if not Path(data).is_file():
            hint = "texts are given as a list: [text, ...]" if isinstance(data, str) else "see how the path is written"
            raise InputError("there is no such file", where=Where(file=str(data)[:200]), hint=hint)
        return InputTable(spec, path=Path(data))
    named = spec.text_columns[0] if spec.text_columns and len(spec.text_columns) == 1 else TEXT_COLUMN
    frame = as_frame(data, text_column=named)
    return InputTable(spec.model_copy(update={"csv": _AS_WRITTEN}), frame=frame)


def as_frame(data: Any, *, text_column: str) -> pd.DataFrame:
    """A data frame: itself, texts as its one column `text_column`, or what its `to_pandas()` gives (polars, datasets).

    Raises `InputError` for anything else.
    """
    import pandas as pd

    if not isinstance(data, pd.DataFrame | pd.Series) and hasattr(data, "to_pandas"):
        data = data.to_pandas()
    if isinstance(data, pd.Series):
        return pd.DataFrame({text_column: list(data)}, index=data.index)
    if isinstance(data, pd.DataFrame):
        return data
    if isinstance(data, str | bytes) or not isinstance(data, Iterable):
        hint = "write [text] for one text; predict_csv takes the path of a table" if isinstance(data, str) else None
        raise InputError(f"rows are a data frame or a list of texts, found {type(data).__name__}", hint=hint)
    texts = list(data)
    for number, text in enumerate(texts):
        if not isinstance(text, str) and not is_missing(text):
            raise InputError(
                f"text number {number + 1} is {type(text).__name__}, not text",
                hint="hand over a data frame where rows have several columns",
            )
    return pd.DataFrame({text_column: texts}, dtype=object)


def frame_cells(frame: pd.DataFrame | None) -> tuple[list[str], Iterator[list[str]]]:
    """Header and rows as text: what is missing is empty, everything else as `str` has it. Raises `InputError` where two
    columns have one name, or there is none."""
    names = [] if frame is None else [str(name) for name in frame.columns]
    if frame is None or not names:
        raise InputError("the data frame has no column")
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"the data frame has two columns named {doubled[0]!r}", hint="rename one of them")
    return names, ([as_cell(value) for value in row] for row in frame.itertuples(index=False, name=None))


def column_cells(frame: pd.DataFrame, columns: Sequence[str]) -> list[list[str]]:
    """The values of some columns as text, row by row; the columns are there."""
    chosen = {str(name): position for position, name in enumerate(frame.columns)}
    parts = [[as_cell(value) for value in frame.iloc[:, chosen[name]]] for name in columns]
    return [list(row) for row in zip(*parts, strict=True)]


def as_cell(value: Any) -> str:
    """A value as a table's text."""
    return value if isinstance(value, str) else "" if is_missing(value) else str(value)


def is_missing(value: Any) -> bool:
    """None, NaN, NaT and pandas' NA."""
    import pandas as pd

    return value is None or (pd.api.types.is_scalar(value) and bool(pd.isna(value)))
