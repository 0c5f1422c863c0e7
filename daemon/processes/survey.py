"""Entry point of the dry run's look at a CSV: `python -m daemon.processes.survey`.

One line of JSON in (`{"csv": path, "spec": {...}}`), one answer out: rows, distinct texts, columns. Calls nobody.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from daemon.processes.channel import Channel, failure_of
from daemon.processes.protocol import Answer, Result


def survey(line: str) -> Answer:
    """Read the CSV as a job would."""
    try:
        from freeal.pool import build_pool
        from freeal.spec import Spec
        from freeal.table import read_table

        request = json.loads(line)
        spec = Spec.model_validate(request["spec"])
        table = read_table(Path(request["csv"]), spec.csv)
        pool = build_pool(table, spec)
        return Result(
            {
                "rows": len(table.rows),
                "distinct_rows": len(pool),
                "text_columns": list(pool.text_columns),
                "known_labels": sum(label is not None for label in pool.truth) if pool.truth is not None else 0,
            }
        )
    except Exception as error:  # noqa: BLE001 - reported to the daemon, which shows it
        return failure_of(error)


def main() -> int:
    """Answer once."""
    channel = Channel.take_stdout()
    channel.send(survey(sys.stdin.readline()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
