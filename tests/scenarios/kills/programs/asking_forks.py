"""Jobs that ask, each in a fork of a process that has imported everything: killed and begun again in no time.

A line of JSON in, `{"job": ..., "texts": [...]}`; out comes the pid of the fork, and its exit status when it is gone.
"""

# ruff: noqa: T201 - what it prints is its answer

from __future__ import annotations

import json
import os
import sys

import anthropic.resources.messages  # noqa: F401 - what the client imports when it is first used
import anyio
from asking_train import ask

import freeal.llm.batches.anthropic_batches
import freeal.llm.batches.send_in_batches  # noqa: F401 - as above


def main():
    for line in sys.stdin:
        asked = json.loads(line)
        pid = os.fork()
        if pid == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            anyio.run(ask, asked["job"], asked["texts"])
            os._exit(0)
        print(pid, flush=True)
        print(os.waitpid(pid, 0)[1], flush=True)


main()
