"""Rows in windows: read ahead of the model in a thread of their own, their distinct texts found and tokenised there."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from freeal.prediction.text_cache import Memory, digest
from freeal.student.protocols import ReadText, Student
from freeal.table import Row, RowReader
from freeal.text.row_text import row_text

NO_TEXT = -1
WINDOW_CHARACTERS = 8_000_000
"""A window of long rows ends here: three of them are in memory at once (read, waiting, scored)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Window:
    """Consecutive rows. `line` is the line on which the last one begins; `texts` are the distinct ones, `keys` their
    digests, `places` int [rows] which of them a row holds (NO_TEXT for none). `tokens` holds, by place, those whose
    answer was not known when the window was read."""

    rows: list[Row]
    line: int
    places: np.ndarray
    texts: list[str]
    keys: list[bytes]
    tokens: dict[int, ReadText]


class WindowReader:
    """Windows of a table from row `skip` on. `most_rows` may be changed between them."""

    def __init__(
        self,
        reader: RowReader,
        columns: Sequence[tuple[str, int]],
        *,
        student: Student | None,
        memory: Memory,
        most_rows: int,
        skip: int = 0,
    ) -> None:
        """`columns` are the names and positions of the text columns. Without a `student`, scores come from elsewhere:
        nothing is tokenised, and each row's text is its own."""
        self._rows = iter(reader)
        self._names = [name for name, _ in columns]
        self._positions = [position for _, position in columns]
        self._student, self._memory = student, memory
        self._skip = skip
        self.most_rows = most_rows
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="reader")
        self._next = self._thread.submit(self._read_window)

    def __iter__(self) -> Iterator[Window]:
        """The next windows; raises what reading raises, when it comes to that row."""
        while (window := self._next.result()) is not None:
            self._next = self._thread.submit(self._read_window)
            yield window

    def close(self) -> None:
        """End the thread, at the latest when it has read the window it is at."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _read_window(self) -> Window | None:
        while self._skip:
            if next(self._rows, None) is None:
                return None
            self._skip -= 1
        rows: list[Row] = []
        line = characters = 0
        for line, row in self._rows:  # noqa: B007 - the last one is wanted
            rows.append(row)
            characters += sum(map(len, row))
            if len(rows) >= self.most_rows or characters >= WINDOW_CHARACTERS:
                break
        return self._window_of_rows(rows, line) if rows else None

    def _window_of_rows(self, rows: list[Row], line: int) -> Window:
        all_texts = [row_text(self._names, [row[position] for position in self._positions]) for row in rows]
        if self._student is None:
            texts = [text for text in all_texts if text]
            has_text = np.array([bool(text) for text in all_texts])
            return Window(rows, line, np.where(has_text, np.cumsum(has_text) - 1, NO_TEXT), texts, [], {})
        found: dict[str, int] = {}
        places = np.empty(len(rows), dtype=np.int64)
        for number, text in enumerate(all_texts):
            places[number] = found.setdefault(text, len(found)) if text else NO_TEXT
        texts = list(found)
        keys = [digest(text) for text in texts]
        unknown = [place for place, key in enumerate(keys) if not self._memory.knows(key)]
        read = self._student.read([texts[place] for place in unknown])
        return Window(rows, line, places, texts, keys, dict(zip(unknown, read, strict=True)))
