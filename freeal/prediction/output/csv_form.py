"""A prediction as CSV: the input's delimiter, the probabilities with four digits."""

from __future__ import annotations

import functools
import io
from collections.abc import Iterable, Mapping, Sequence

from freeal.prediction.output.output_cells import row_cells
from freeal.prediction.output.output_form import Pack, added_columns
from freeal.prediction.promised_labels import Opinion, PromisedLabels
from freeal.prediction.row_windows import Window
from freeal.prediction.window_scoring import Scores
from freeal.table import TableWriter
from freeal.table.csv_parsing.dialect import Dialect
from freeal.types import Kind


class CsvForm:
    """See `OutputForm`."""

    pack: Pack | None = None

    def __init__(
        self,
        header: Sequence[str],
        *,
        dialect: Dialect,
        labels: Sequence[str],
        promised: PromisedLabels | None,
        may_ask: bool = False,
        kind: Kind = "single",
    ) -> None:
        self._names = [*header, *added_columns(header, labels, promised, may_ask=may_ask, kind=kind)]
        self._dialect, self._labels, self._promised, self._may_ask = dialect, labels, promised, may_ask

    def header(self) -> bytes:
        """The names, behind a byte-order mark where the table had one."""
        mark = "\ufeff" if self._dialect.output_encoding == "utf-8-sig" else ""
        return mark.encode() + self._lines([self._names])

    def window(self, window: Window, scores: Scores, opinions: Mapping[int, Opinion], *, first_row: int) -> bytes:
        """A line for each row."""
        del first_row  # a CSV's rows are counted by whoever reads it
        told = opinions if self._may_ask else None
        ours = functools.partial(row_cells, scores, labels=self._labels, promised=self._promised, opinions=told)
        places = window.places.tolist()
        return self._lines([*row, *ours(place)] for row, place in zip(window.rows, places, strict=True))

    def _lines(self, rows: Iterable[Sequence[str]]) -> bytes:
        text = io.StringIO(newline="")
        writer = TableWriter(text, self._dialect.output_delimiter)
        for row in rows:
            writer.write(row)
        return text.getvalue().encode("utf-8")
