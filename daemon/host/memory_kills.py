"""What the kernel says of processes it killed for want of memory."""

from __future__ import annotations

from pathlib import Path


def kernel_memory_kills(path: Path = Path("/proc/vmstat")) -> int | None:
    """How many processes the kernel has killed for want of memory since it began; None where it does not tell."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    counts = [line.split()[1] for line in lines if line.startswith("oom_kill ")]
    return int(counts[0]) if counts else None
