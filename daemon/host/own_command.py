"""A command of ours as it can be pasted: with the Python that runs us, and the settings this service runs with."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path


def own_command_line(arguments: str, *, config_file: Path) -> str:
    """`/x/.venv/bin/python -m daemon retry JOB --config /x/freeal.yaml`, for a shell in whatever folder.

    Where there is no such file, its folder is what tells this service from another.
    """
    command = f"{shlex.quote(sys.executable)} -m daemon {arguments}"
    if config_file.is_file():
        return f"{command} --config {shlex.quote(os.fspath(config_file))}"
    return f"cd {shlex.quote(os.fspath(config_file.parent))} && {command}"
