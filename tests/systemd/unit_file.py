"""A systemd unit and its drop-ins as settings, and the system calls its filter lets through."""

from __future__ import annotations

import dataclasses
import functools
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "systemd" / "freeal.service"
DROP_INS = ROOT / "systemd" / "freeal.service.d"


@dataclasses.dataclass(frozen=True)
class Unit:
    """The [Service] section: each setting's values in order; an empty value has reset those before it."""

    settings: dict[str, list[str]]

    @classmethod
    def read(cls, *files: Path) -> Unit:
        """The unit file, then its drop-ins."""
        settings: dict[str, list[str]] = {}
        for section, key, value in (entry for file in files for entry in _entries(file)):
            if section != "Service":
                continue
            if value:
                settings.setdefault(key, []).append(value)
            else:
                settings[key] = []
        return cls(settings)

    def last(self, key: str, default: str = "") -> str:
        """The value in force of a setting that is no list."""
        return (self.settings.get(key) or [default])[-1]

    def words(self, key: str) -> list[str]:
        """All words of a setting that is a list."""
        return [word for value in self.settings.get(key, ()) for word in value.split()]

    def is_on(self, key: str) -> bool:
        """Whether a switch is on."""
        return self.last(key) in {"true", "yes", "on", "1"}

    @property
    def environment(self) -> dict[str, str]:
        """The variables of `Environment=`; none of ours holds a space."""
        return dict(word.split("=", 1) for word in self.words("Environment"))

    @property
    def allowed_calls(self) -> frozenset[str]:
        """The names `SystemCallFilter=` lets through: its first line allows, `~` lines take away."""
        allowed: set[str] = set(calls_of("@default"))
        for line in self.settings["SystemCallFilter"]:
            names = {name for word in line.removeprefix("~").split() for name in calls_of(word)}
            allowed = allowed - names if line.startswith("~") else allowed | names
        return frozenset(allowed)


def _entries(file: Path) -> Iterator[tuple[str, str, str]]:
    section = ""
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and line[0] not in "#;":
            key, _, value = line.partition("=")
            yield section, key.strip(), value.strip()


@functools.cache
def calls_of(word: str) -> frozenset[str]:
    """The system calls of a set such as `@system-service`, or the one that is named."""
    if not word.startswith("@"):
        return frozenset([word])
    lines = _run(["systemd-analyze", "syscall-filter", word]).splitlines()[1:]
    members = [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]
    return frozenset(name for member in members for name in calls_of(member))


def _run(command: Sequence[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
