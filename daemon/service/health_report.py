"""What `status` cannot see from outside, ready for JSON: it goes into the journal with every heartbeat."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable
from typing import Any

from daemon.inbox.file_events import WatchState
from daemon.inbox.pairing import Waiting
from daemon.jobs.device_turns import Lanes
from daemon.service.fault_register import FaultRegister


def health_report(
    *,
    watch: WatchState,
    lanes: Lanes,
    predictions_waiting: int,
    refused: Iterable[Waiting],
    faults: FaultRegister,
    requests: Collection[str],
) -> dict[str, Any]:
    """Watching, lanes, files that could not be taken, faults not mended yet, jobs whose request is under way."""
    return {
        "watcher": dataclasses.asdict(watch) | {"in_use": watch.in_use},
        "device": {"holder": lanes.holder, "queue": list(lanes.queue)},
        "batches": sorted(lanes.idle),
        "predictions_waiting": predictions_waiting,
        "refused": [{"file": one.name, "reason": one.reason} for one in refused],
        "faults": faults.told(),
        "requests": sorted(requests),
    }
