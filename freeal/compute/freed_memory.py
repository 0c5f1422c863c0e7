"""Memory that was freed, given back to the system.

The C library keeps what torch frees, in pieces too small for what comes next: after one fine-tuning of 256 texts a
process held 1.2 GB, of which it used half, and the next stage's memory came on top of that.
"""

from __future__ import annotations

import ctypes


def give_back_freed_memory() -> bool:
    """Return what is free in the C library's heap to the system, some milliseconds' work; whether it did: only glibc
    can."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError):
        return False
    return bool(trim(0))
