"""Where benchmark files are, and what machine, versions and source a measurement was made with."""

from __future__ import annotations

import dataclasses
import datetime
import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
STATE = ROOT / ".bench"
_PACKAGES = ("freeal-daemon", "torch", "transformers", "scikit-learn", "numpy", "kmedoids")


@dataclasses.dataclass(frozen=True)
class Folders:
    """`data` is only read; `record` holds results and what one cell leaves for another; `cache` answers and models."""

    data: Path
    record: Path
    cache: Path = STATE / "cache"

    @property
    def answers(self) -> Path:
        """The answer store that all cells share."""
        return self.cache / "answers.sqlite"


def origin(packages: Sequence[str] = _PACKAGES) -> dict[str, Any]:
    """Versions of `packages`, machine, source and time of a measurement, as a record holds them."""
    return {
        "versions": {"python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in packages},
        "machine": machine(),
        "commit": commit(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def machine() -> str:
    """Processor, cores this process may use, threads where limited, and the GPU where there is one."""
    import torch

    threads = os.environ.get("OMP_NUM_THREADS")
    parts = [_processor(), f"{len(os.sched_getaffinity(0))} cores", f"{threads} threads" if threads else ""]
    if torch.cuda.is_available():
        parts.append(torch.cuda.get_device_name())
    return ", ".join(part for part in parts if part)


def commit() -> str:
    """The commit of the source, with a + where files differ from it; empty outside of a checkout."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--abbrev=10"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
