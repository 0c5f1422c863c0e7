"""Entry point of `check`'s look at the heavy parts: `python -m daemon.processes.entry_points.check_models`.

One line of JSON in (the student's settings), one answer out: the device and the encoder a job would use. Nothing is
fetched.
"""

from __future__ import annotations

import os
import sys

from daemon.processes.child_channel import Channel, failure_of
from daemon.processes.message_protocol import Answer, Result


def probe_models(line: str) -> Answer:
    """Look, without downloading: what is not on this machine yet is an answer too."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        from freeal.compute import device
        from freeal.settings import StudentSettings
        from freeal.student.comparison import candidates
        from freeal.student.encoder import locate_encoder
        from freeal.types import TFIDF

        settings = StudentSettings.model_validate_json(line)
        names = [
            locate_encoder.resolve_weights(name).name if name != TFIDF else name
            for name in candidates.named_candidates(settings)
        ]
        return Result({"encoder": ", ".join(names), "device": str(device.choose(settings))})
    except Exception as error:  # noqa: BLE001 - reported to the daemon, which shows it
        return failure_of(error)


def main() -> int:
    """Answer once."""
    channel = Channel.take_stdout()
    channel.send(probe_models(sys.stdin.readline()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
