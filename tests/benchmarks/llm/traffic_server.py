"""The test server in a process of its own, so that its work is not counted as the client's.

It prints its address, serves until its standard input ends, then prints what it saw as one line of JSON.
"""

# ruff: noqa: T201 - its output is the interface

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from traffic import ENDS_JOB, LATENCY_SECONDS, RandomFaults, verdict

from freeal.testing.server import Limits, MessagesServer, Received
from freeal.testing.server.faults import REFUSALS
from freeal.testing.server.message_service import counted_tokens

_LOST = frozenset({*REFUSALS, "reset", "hang", "drip", "empty body", "truncated json", "not json"})
"""Faults after which the client has no answer."""


@dataclasses.dataclass(frozen=True)
class Seen:
    """What the server saw. `arrivals`: per admitted request its time in seconds and its counted input tokens."""

    arrivals: list[tuple[float, int]]
    requests: int
    limited: int
    most_under_way: int
    generated: int
    faults: dict[str, int]
    delivered: int
    """Answers that reached the client whole."""
    delivered_again: int
    """Those among them to a request that had been answered whole before."""

    def rate(self, *, counts: str, after_seconds: float) -> float | None:
        """Requests or input tokens per second after the ramp-up; None where the run was no longer than that."""
        if not self.arrivals:
            return None
        begin, end = self.arrivals[0][0] + after_seconds, self.arrivals[-1][0]
        counted = [tokens if counts == "input tokens" else 1 for at, tokens in self.arrivals if begin <= at < end]
        return sum(counted) / (end - begin) if end > begin else None


class _Server(MessagesServer):
    """Notes when each admitted request came and which were answered whole."""

    def __init__(self, *, limits: Limits, faults: RandomFaults) -> None:
        super().__init__(verdict, latency_seconds=LATENCY_SECONDS, limits=limits, fault_for=faults)
        self._arrivals: list[tuple[float, int]] = []
        self._whole: dict[str, int] = {}

    @contextlib.contextmanager
    def received(self, path: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> Iterator[Received]:
        refused_before = self.limited
        with super().received(path, headers, body) as request:
            fault = request.fault.kind if request.fault is not None else ""
            over_limit = fault == "429" and self.limited > refused_before
            if not over_limit:
                self._arrivals.append((time.monotonic(), counted_tokens(body, request.asked, "anthropic")))
            if fault not in _LOST and fault not in ENDS_JOB:
                asked = hashlib.sha256(json.dumps(body["messages"]).encode()).hexdigest()
                self._whole[asked] = self._whole.get(asked, 0) + 1
            yield request

    def seen(self) -> Seen:
        kinds = [request.fault.kind for request in self.requests if request.fault is not None]
        return Seen(
            arrivals=sorted(self._arrivals),
            requests=len(self.requests),
            limited=self.limited,
            most_under_way=self.most_under_way,
            generated=self.billed.calls,
            faults={kind: kinds.count(kind) for kind in sorted(set(kinds))},
            delivered=sum(self._whole.values()),
            delivered_again=sum(self._whole.values()) - len(self._whole),
        )


class Running:
    """The server while its process runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self._process = process
        self.base_url = process.stdout.readline().strip()
        self._seen: Seen | None = None

    def end(self) -> Seen:
        """Stop it; what it saw."""
        if self._seen is None:
            told = json.loads(self._process.communicate()[0])
            self._seen = Seen(**told | {"arrivals": [tuple(one) for one in told["arrivals"]]})
        return self._seen


@contextlib.contextmanager
def serving(*, limits: Limits, fault_share: float = 0.0, rows: int = 1, seed: int = 0) -> Iterator[Running]:
    """A server in its own process while the block lasts."""
    told = {"limits": dataclasses.asdict(limits), "fault_share": fault_share, "rows": rows, "seed": seed}
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__)), json.dumps(told)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Running(process)
    finally:
        process.kill()
        process.wait()


def main() -> None:
    """Serve as the one argument says."""
    told = json.loads(sys.argv[1])
    faults = RandomFaults(told["fault_share"], rows=told["rows"], seed=told["seed"])
    with _Server(limits=Limits(**told["limits"]), faults=faults) as server:
        print(server.base_url, flush=True)
        sys.stdin.read()
        print(json.dumps(dataclasses.asdict(server.seen())), flush=True)


if __name__ == "__main__":
    main()
