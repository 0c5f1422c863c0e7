"""The predict lane's process without torch: every row gets the same label."""

# ruff: noqa: T201 - what it prints is its answer

from __future__ import annotations

import json
import sys
from pathlib import Path

from daemon.processes.child_channel import failure_of
from freeal.files import atomic_write

for line in sys.stdin:
    job = json.loads(line)
    rows = Path(job["input_csv"]).read_text().splitlines()
    try:
        with atomic_write.writing(Path(job["output_csv"])) as stream:
            stream.write(f"{rows[0]},freeal_label\n")
            for row in rows[1:]:
                stream.write(f"{row},positive\n")
        answer = {"type": "result", "content": {"rows": len(rows) - 1}}
    except OSError as problem:
        failure = failure_of(problem)
        answer = {"type": "failure", "kind": failure.kind, "problem": failure.problem}
    print(json.dumps(answer), flush=True)
