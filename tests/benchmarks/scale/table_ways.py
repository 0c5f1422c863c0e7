"""One way through one table in a process of its own: it measures itself and prints a line of JSON."""

# ruff: noqa: T201 - its output is the interface

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

from freeal.table import RowReader, TableWriter, read_table, write_rows
from freeal.table.csv_format import CsvFormat
from freeal.text.row_text import row_text

COLUMNS = ("title", "body")


def streaming(source: Path, target: Path) -> int:
    """Row by row: read, make the text, write the row with a column more."""
    with RowReader(source, CsvFormat()) as reader, target.open("w", encoding="utf-8", newline="") as stream:
        places = [reader.header.index(name) for name in COLUMNS]
        writer = TableWriter(stream, reader.dialect.output_delimiter)
        writer.write([*reader.header, "freeal_label"])
        rows = 0
        for _, row in reader:
            text = row_text(COLUMNS, [row[place] for place in places])
            writer.write([*row, "long" if len(text) > 100 else "short"])
            rows += 1
    return rows


def whole(source: Path, target: Path) -> int:
    """The table in memory, all its texts, and then the output."""
    table = read_table(source)
    places = [table.header.index(name) for name in COLUMNS]
    texts = [row_text(COLUMNS, [row[place] for place in places]) for row in table.rows]
    rows = ([*row, "long" if len(text) > 100 else "short"] for row, text in zip(table.rows, texts, strict=True))
    with target.open("w", encoding="utf-8", newline="") as stream:
        write_rows(stream, [*table.header, "freeal_label"], rows, delimiter=table.dialect.output_delimiter)
    return len(table.rows)


def with_pandas(source: Path, target: Path) -> int:
    """What most people write: everything as text, nothing taken for missing; no text is made."""
    import pandas as pd

    frame = pd.read_csv(source, dtype=str, keep_default_na=False)
    frame["freeal_label"] = "short"
    frame.to_csv(target, index=False)
    return len(frame)


def in_chunks_with_pandas(source: Path, target: Path) -> int:
    """The same in pieces of 10,000 rows."""
    import pandas as pd

    rows = 0
    with target.open("w", encoding="utf-8", newline="") as stream:
        for frame in pd.read_csv(source, dtype=str, keep_default_na=False, chunksize=10_000):
            frame["freeal_label"] = "short"
            frame.to_csv(stream, index=False, header=rows == 0)
            rows += len(frame)
    return rows


WAYS: dict[str, Callable[[Path, Path], int]] = {
    "FreeAL, row by row": streaming,
    "FreeAL, whole": whole,
    "pandas": with_pandas,
    "pandas in chunks": in_chunks_with_pandas,
}


def measure(way: str, source: Path, target: Path) -> dict[str, float]:
    """Seconds of wall clock and of processor, and the peak of memory beyond what the imports took."""
    if "pandas" in way:
        import pandas as pd  # its import is not part of the way

        assert pd.__version__
    before = _peak_mib()
    began, processor = time.monotonic(), time.process_time()
    rows = WAYS[way](source, target)
    return {
        "rows": rows,
        "seconds": time.monotonic() - began,
        "processor_seconds": time.process_time() - processor,
        "mib": _peak_mib() - before,
    }


def _peak_mib() -> float:
    """Of this process; ru_maxrss would begin with the parent's."""
    found = re.search(r"^VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"), re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))))
