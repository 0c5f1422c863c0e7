"""Entry point for a look at a table: `python -m daemon.processes.entry_points.preview_table`.

One line of JSON in (`path`, `rows`, `characters` per value), one answer out: `header`, the first `rows`, `read_as` (how
the file was understood, in words), `values` (of each column with few different values: these), `joined` (of each column
whose cells hold several values each: the sign between them, and the values) and `problem`, where a line further down
cannot be read. Whatever format, packing and libraries the file asks for, the daemon's own process
stays light and unharmed.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from daemon.processes.child_channel import Channel, failure_of
from daemon.processes.message_protocol import Answer, Result
from freeal.text.joined_values import JoinedValues

MOST_SECONDS = 5.0
"""A larger table is not read to its end: somebody waits for the page."""
MOST_VALUES = 50
MOST_CHARACTERS = 100
"""Of a value that may be a label."""

_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


def peek_at_table(line: str) -> Answer:
    """Read the table, as far as there is time."""
    try:
        from freeal.errors import InputError
        from freeal.table import RowReader
        from freeal.table.csv_format import CsvFormat

        request = json.loads(line)
        most, wanted = int(request["characters"]), int(request["rows"])
        with RowReader(Path(request["path"]), CsvFormat()) as reader:
            seen = _Seen(list(reader.header), wanted, most)
            end = time.monotonic() + MOST_SECONDS
            is_whole = True
            problem = ""
            try:
                for _, row in reader:
                    seen.take_row(row)
                    if seen.count % 1000 == 0 and time.monotonic() > end:
                        is_whole = False
                        break
            except InputError as error:
                is_whole, problem = False, str(error)
            return Result(seen.table_preview(reader.dialect, is_whole=is_whole) | {"problem": problem})
    except Exception as error:  # noqa: BLE001 - reported to the daemon, which shows it
        return failure_of(error)


class _Seen:
    """What is kept of the rows."""

    def __init__(self, header: list[str], wanted: int, most_characters: int) -> None:
        self._header, self._wanted, self._most = header, wanted, most_characters
        self._rows: list[list[str]] = []
        self._values: dict[str, dict[str, int]] = {name: {} for name in header}
        self._joined = {name: JoinedValues(MOST_VALUES) for name in header}
        self.count = 0

    def take_row(self, row: Any) -> None:
        self.count += 1
        if len(self._rows) < self._wanted:
            self._rows.append([value[: self._most] for value in row])
        for name, cell in zip(self._header, row, strict=False):
            value = cell.strip()
            self._joined[name].take(value)
            known = self._values.get(name)
            if known is None or not value:
                continue
            known[value] = known.get(value, 0) + 1
            if len(known) > MOST_VALUES or len(value) > MOST_CHARACTERS:
                del self._values[name]

    def table_preview(self, dialect: Any, *, is_whole: bool) -> dict[str, Any]:
        values = {
            name: sorted(known, key=lambda value: (-known[value], value))
            for name, known in self._values.items()
            if 2 <= len(known) < self.count
        }
        apart = {name: found for name in self._header if (found := self._joined[name].found())}
        joined = {name: [found.separator, *found.values] for name, found in apart.items()}
        rows = f"{self.count:,} rows" if is_whole else f"more than {self.count:,} rows"
        read_as = [*_dialect_in_words(dialect), rows]
        shown = {"header": self._header, "rows": self._rows, "read_as": ", ".join(read_as)}
        return shown | {"values": values, "joined": joined}


def _dialect_in_words(dialect: Any) -> list[str]:
    """`cp1252, semicolons`: how a file is written, for who dropped it."""
    if dialect.form not in {"csv", "tsv"}:
        return [{"xlsx": "Excel", "jsonl": "JSON lines", "parquet": "Parquet"}.get(dialect.form, dialect.form)]
    split = _DELIMITERS.get(dialect.delimiter)
    return [dialect.encoding, *([split] if split else ["one column"])]


def main() -> int:
    """Answer once."""
    channel = Channel.take_stdout()
    channel.send(peek_at_table(sys.stdin.readline()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
