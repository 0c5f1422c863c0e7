"""A prediction as Parquet: `freeal_row`, the input's columns as text, then the label, and probabilities as numbers.

A Parquet file ends with what says where everything is, so it cannot be appended to. Windows are appended as an Arrow
stream, which can; at the end that is read batch by batch and written as Parquet, in row groups that depend on the rows
alone, so that the file has the same bytes wherever it was cut off before.
"""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from freeal.errors import ConfigError, Where
from freeal.prediction.output.output_cells import OutputColumns
from freeal.prediction.promised_labels import STATUS_COLUMN
from freeal.prediction.row_windows import NO_TEXT, Window
from freeal.prediction.second_opinion import SOURCE_COLUMN, Opinion
from freeal.prediction.window_scoring import Scores
from freeal.table import free_name
from freeal.types import Status

ROW_COLUMN = "freeal_row"
_WORDS = frozenset({"freeal_label", "freeal_labels", "freeal_node", STATUS_COLUMN, SOURCE_COLUMN})
GROUP_ROWS, GROUP_BYTES = 100_000, 64_000_000
"""A row group ends with the block of rows that reaches one of them; one is in memory at a time."""
_BLOCK_ROWS = 1_000


def import_arrow(output: Path, module: str = "pyarrow") -> Any:
    """The module. Raises `ConfigError` where it is not installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as cause:
        raise ConfigError(
            "a Parquet file is wanted, and what writes those is not installed",
            where=Where(file=output),
            hint="pip install 'freeal-daemon[parquet]', or have a CSV written",
        ) from cause


class ParquetForm:
    """See `OutputForm`. A column's name that comes twice gets `_2`: readers of Parquet tell columns by their names."""

    def __init__(
        self,
        output: Path,
        columns: OutputColumns,
        *,
        header: Sequence[str],
        group_rows: int = GROUP_ROWS,
        group_bytes: int = GROUP_BYTES,
        block_rows: int = _BLOCK_ROWS,
    ) -> None:
        self._group_rows, self._group_bytes, self._block_rows = group_rows, group_bytes, block_rows
        self._output, self._columns = output, columns
        self._pa = pa = import_arrow(output)
        given: list[str] = []
        for name in header:
            given.append(free_name(name, given))
        ours = columns.names_behind(given)
        types = (pa.string() if name in _WORDS else pa.float32() for name in columns.names)
        self._schema = pa.schema(
            [
                (free_name(ROW_COLUMN, [*given, *ours]), pa.int64()),
                *((name, pa.string()) for name in given),
                *zip(ours, types, strict=True),
            ]
        )

    def header(self) -> bytes:
        """The schema."""
        return bytes(self._schema.serialize())

    def window(self, window: Window, scores: Scores, opinions: Mapping[int, Opinion], *, first_row: int) -> bytes:
        """A window of rows as one record batch."""
        pa, rows, has_text = self._pa, len(window.rows), window.places != NO_TEXT
        said = self._columns.cells_of_window(scores, opinions)
        places, at = window.places[has_text], window.places.tolist()

        def words(values: Sequence[str | None], without_text: str | None = None) -> Any:
            return pa.array([without_text if place == NO_TEXT else values[place] for place in at], pa.string())

        def numbers(values: np.ndarray) -> Any:
            found = np.full(rows, np.nan, dtype=np.float32)
            found[has_text] = values[places]
            return pa.array(found, pa.float32(), mask=np.isnan(found))

        columns = [pa.array(np.arange(first_row, first_row + rows, dtype=np.int64))]
        columns += [pa.array(values, pa.string()) for values in zip(*window.rows, strict=True)]
        columns += [words(said.label), numbers(said.confidence)]
        if self._columns.back_off is not None:
            columns += [words(said.node), numbers(said.node_confidence)]
        columns += [numbers(values) for values in np.ascontiguousarray(scores.proba.T)]
        if self._columns.promised is not None:
            columns.append(words(said.status, str(Status.EMPTY_TEXT)))
        if self._columns.may_ask:
            columns.append(words(said.source))
        return bytes(pa.record_batch(columns, schema=self._schema).serialize())

    def pack(self, part: Path, packed: Path) -> None:
        """Write the stream in `part` as Parquet."""
        ipc, parquet = (import_arrow(self._output, f"pyarrow.{name}") for name in ("ipc", "parquet"))
        with (
            part.open("rb") as source,
            ipc.open_stream(source) as batches,
            parquet.ParquetWriter(packed, self._schema, compression="zstd") as writer,
        ):
            for group in self._row_groups(batches):
                writer.write_table(group, row_group_size=group.num_rows)

    def _row_groups(self, batches: Any) -> Iterator[Any]:
        held: list[Any] = []
        rows = text_bytes = 0
        for block in self._row_blocks(batches):
            held.append(block)
            rows, text_bytes = rows + block.num_rows, text_bytes + self._text_bytes(block)
            if rows >= self._group_rows or text_bytes >= self._group_bytes:
                yield self._pa.concat_tables(held)
                held, rows, text_bytes = [], 0, 0
        if held:
            yield self._pa.concat_tables(held)

    def _text_bytes(self, table: Any) -> int:
        """Of the values alone: what Arrow holds beside them depends on where it was cut."""
        compute = import_arrow(self._output, "pyarrow.compute")
        texts = (column for column in table.columns if self._pa.types.is_string(column.type))
        return sum(compute.sum(compute.binary_length(column)).as_py() or 0 for column in texts)

    def _row_blocks(self, batches: Any) -> Iterator[Any]:
        """The row groups of the Parquet output: blocks of as many rows from the first row of the table on, whatever the
        batches are."""
        held: list[Any] = []
        free = self._block_rows
        for batch in batches:
            table = self._pa.Table.from_batches([batch])
            cuts = [0, *range(min(free, table.num_rows), table.num_rows, self._block_rows), table.num_rows]
            for begin, end in itertools.pairwise(cuts):
                held.append(table.slice(begin, end - begin))
                free -= end - begin
                if free == 0:
                    yield self._pa.concat_tables(held).combine_chunks()
                    held, free = [], self._block_rows
        if held:
            yield self._pa.concat_tables(held).combine_chunks()
