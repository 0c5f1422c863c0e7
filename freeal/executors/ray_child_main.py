"""The process that joins the cluster: `python -m freeal.executors.ray_child_main`, started by ray_child_handle.py.

`ray.init` takes over SIGTERM and starts threads and processes; a service that has signals of its own cannot be the one
to call it. Its parent's pickle on stdin says what to do; JSON lines on stdout tell how it goes, and of the end.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any, BinaryIO, Protocol

from freeal.errors import FreealError
from freeal.executors import ray_cluster
from freeal.executors.errors_as_messages import error_as_message
from freeal.settings import RaySettings


class Order(Protocol):
    """What the parent wants done: a value that is pickled."""

    @property
    def settings(self) -> RaySettings:
        """Which cluster."""

    def messages(self, ray: Any) -> Iterator[dict[str, Any]]:
        """Do it on the cluster that is joined; yields what the parent is to hear. None has the keys `joined`, `error`,
        `done` or `ended`, which are this process's own."""


def _end_with_parent() -> None:
    while os.read(0, 1):  # not through the buffer: its lock would be held at the end
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _say(stream: BinaryIO, message: dict[str, Any]) -> None:
    stream.write(json.dumps(message).encode() + b"\n")
    stream.flush()


def main() -> int:
    """The main function of the Ray child: join the cluster, do what stdin asks, and say on stdout how it goes."""
    stdout = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints goes to the log
    stdin = sys.stdin.buffer
    size = int(stdin.readline())
    order: Order = pickle.loads(stdin.read(size))  # noqa: S301 - of our own parent, through its pipe
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        with ray_cluster.joined_cluster(order.settings) as ray:
            _say(stdout, {"joined": {key: ray.cluster_resources().get(key, 0) for key in ("CPU", "GPU")}})
            for message in order.messages(ray):
                _say(stdout, message)
    except FreealError as error:
        _say(stdout, error_as_message(error))
        return 1
    with contextlib.suppress(BrokenPipeError):
        _say(stdout, {"done": True})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
