"""Entry point for a look at the start of a table: `python -m daemon.processes.preview_table`.

One line of JSON in (`path`, `rows`, `characters` per value), one answer out: `header` and the first `rows`. Whatever
format, packing and libraries the file asks for, the daemon's own process stays light and unharmed.
"""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path

from daemon.processes.child_channel import Channel, failure_of
from daemon.processes.message_protocol import Answer, Result


def peek(line: str) -> Answer:
    """Read the start of the table."""
    try:
        from freeal.table import RowReader
        from freeal.table.csv_format import CsvFormat

        request = json.loads(line)
        most = int(request["characters"])
        with RowReader(Path(request["path"]), CsvFormat()) as reader:
            rows = [[value[:most] for value in row] for _, row in itertools.islice(iter(reader), int(request["rows"]))]
            return Result({"header": list(reader.header), "rows": rows})
    except Exception as error:  # noqa: BLE001 - reported to the daemon, which shows it
        return failure_of(error)


def main() -> int:
    """Answer once."""
    channel = Channel.take_stdout()
    channel.send(peek(sys.stdin.readline()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
