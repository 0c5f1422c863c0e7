"""SIGHUP: freeal.yaml read again while the service runs. What cannot change under it is said by key."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import structlog

from daemon import config
from daemon.config import Loaded, Settings
from daemon.host import logging_setup
from freeal.errors import ConfigError

_log = structlog.get_logger(__name__)

FIXED = ("inbox", "models", "state", "watch.mode", "web")
"""Sections and keys that take a restart: folders whose files are claimed, watches and sockets that are open."""
_MISSING = object()


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """What to go on with, and the keys that are `in_force` from now on or have to `wait` for a restart."""

    settings: Settings
    in_force: tuple[str, ...]
    wait: tuple[str, ...]


def compare_settings(old: Settings, new: Settings) -> Change:
    """`new` with what is fixed as in `old`."""
    before, after = dict(config.flatten_settings(old)), dict(config.flatten_settings(new))
    changed = [key for key in {**before, **after} if before.get(key, _MISSING) != after.get(key, _MISSING)]
    wait = [key for key in changed if _is_fixed(key)]
    kept: dict[str, Any] = {name: getattr(old, name) for name in FIXED if "." not in name}
    kept["watch"] = new.watch.model_copy(update={"mode": old.watch.mode})
    merged = new.model_copy(update=kept)
    return Change(merged, tuple(key for key in changed if key not in wait), tuple(wait))


def _is_fixed(key: str) -> bool:
    return any(key == fixed or key.startswith(f"{fixed}.") for fixed in FIXED)


class Reload:
    """Reads the settings again. A file with a mistake changes nothing, and the log says where the mistake is."""

    def __init__(self, read: Callable[[], Loaded]) -> None:
        self._read = read

    def __call__(self, old: Settings) -> Settings | None:
        """The settings from now on; None where they stay as they are."""
        try:
            new = self._read().settings
        except ConfigError as error:
            _log.error("the settings stay as they were", problem=str(error))
            return None
        change = compare_settings(old, new)
        if change.wait:
            _log.warning("these settings take a restart", keys=", ".join(change.wait))
        if not change.in_force:
            _log.info("nothing else in the settings has changed" if change.wait else "the settings have not changed")
            return None
        logging_setup.configure_logging(change.settings.log)
        _log.info(
            "new settings are in force; for llm, student and loop in jobs started from now on",
            keys=", ".join(change.in_force),
        )
        return change.settings
