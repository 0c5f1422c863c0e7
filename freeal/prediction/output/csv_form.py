"""A prediction as CSV: the input's delimiter, the probabilities with four digits."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence

from freeal.prediction.output.output_cells import OutputColumns
from freeal.prediction.output.output_form import Pack
from freeal.prediction.row_windows import NO_TEXT, Window
from freeal.prediction.second_opinion import Opinion
from freeal.prediction.window_scoring import Scores
from freeal.table import TableWriter
from freeal.table.csv_parsing.dialect import Dialect
from freeal.types import Status


class CsvForm:
    """See `OutputForm`."""

    pack: Pack | None = None

    def __init__(self, header: Sequence[str], columns: OutputColumns, *, dialect: Dialect) -> None:
        self._names = [*header, *columns.names_behind(header)]
        self._columns, self._dialect = columns, dialect

    def header(self) -> bytes:
        """The names, behind a byte-order mark where the table had one."""
        mark = "\ufeff" if self._dialect.output_encoding == "utf-8-sig" else ""
        return mark.encode() + self._csv_lines([self._names])

    def window(self, window: Window, scores: Scores, opinions: Mapping[int, Opinion], *, first_row: int) -> bytes:
        """A line for each row."""
        del first_row  # a CSV's rows are counted by whoever reads it
        ours = self._csv_cells(window.places.tolist(), scores, opinions)
        return self._csv_lines([*row, *cells] for row, cells in zip(window.rows, ours, strict=True))

    def _csv_cells(
        self, places: Iterable[int], scores: Scores, opinions: Mapping[int, Opinion]
    ) -> Iterator[Sequence[str]]:
        columns, said = self._columns, self._columns.cells_of_window(scores, opinions)
        is_tree, has_status = columns.back_off is not None, columns.promised is not None
        without_text = [""] * len(columns.names)
        if has_status:
            without_text[-1 - columns.may_ask] = Status.EMPTY_TEXT
        for place in places:
            if place == NO_TEXT:
                yield without_text
                continue
            node = said.node[place]
            yield [
                said.label[place] or "",
                f"{said.confidence[place]:.4f}",
                *((node or "", f"{said.node_confidence[place]:.4f}" if node else "") if is_tree else ()),
                *(f"{value:.4f}" for value in scores.proba[place].tolist()),
                *([said.status[place]] if has_status else ()),
                *([said.source[place] or ""] if columns.may_ask else ()),
            ]

    def _csv_lines(self, rows: Iterable[Sequence[str]]) -> bytes:
        text = io.StringIO(newline="")
        writer = TableWriter(text, self._dialect.output_delimiter)
        for row in rows:
            writer.write(row)
        return text.getvalue().encode("utf-8")
