"""Which software computes: what has to be the same on all machines for their results to be."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform

_PARTS = ("freeal-daemon", "torch", "transformers", "tokenizers")


def software_version() -> str:
    """`freeal-daemon 0.1.0, torch 2.13.0, ...`; Python counts by its minor version."""
    found = [f"Python {'.'.join(platform.python_version_tuple()[:2])}"]
    for name in _PARTS:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            if name == _PARTS[0] and importlib.util.find_spec("freeal"):
                continue  # run from its folder
            found.append(f"no {name}")
    return ", ".join(found)
