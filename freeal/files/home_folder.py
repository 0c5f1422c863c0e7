"""Paths that people write with a `~`."""

from __future__ import annotations

from pathlib import Path

from freeal.errors import ConfigError, Where


def expanded_home(path: Path, where: Where) -> Path:
    """The path with `~` and `~name` replaced by that home folder; `where` is the place that names it.

    Raises `ConfigError` where there is no such home, and for what can be no path.
    """
    if "\0" in str(path):
        raise ConfigError(f"{str(path)!r} can be no path", where=where, hint="leave out the \\0")
    try:
        return path.expanduser()
    except RuntimeError as cause:  # no such user, or nobody's home is known
        hint = "write the whole path, or a home folder that exists"
        raise ConfigError(f"{str(path)!r} names a home folder that is not there", where=where, hint=hint) from cause
