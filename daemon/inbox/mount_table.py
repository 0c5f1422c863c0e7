"""Which file system a folder lies on, and whether the kernel hears of all that happens there."""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path, PurePath

MOUNT_TABLE = Path("/proc/self/mountinfo")

_NETWORK = {
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "ncpfs",
    "afs",
    "coda",
    "ceph",
    "lustre",
    "beegfs",
    "glusterfs",
    "gpfs",
    "pvfs2",
    "orangefs",
}
_HOSTS = {"9p", "virtiofs", "vboxsf", "vmhgfs", "prl_fs", "prl_vmfs", "drvfs", "grpcfuse", "fuse", "autofs"}
DEAF = frozenset(_NETWORK | _HOSTS)
"""File systems that others write to past our kernel: network shares, and what virtual machines share with their host.
Every `fuse.*` is another. Docker Desktop hands host folders in by some of these; a bind mount on Linux is the file
system it shows, with all its events."""


@dataclasses.dataclass(frozen=True, slots=True)
class Mount:
    """One line of the mount table."""

    point: PurePath
    kind: str
    """The file system's type, as the kernel names it."""

    @property
    def is_deaf(self) -> bool:
        """Whether files may appear there without an event."""
        return self.kind in DEAF or self.kind.startswith("fuse.")


class Mounts:
    """The mount table, read anew whenever asked: shares come and go while we run."""

    def __init__(self, table: Path = MOUNT_TABLE) -> None:
        self._table = table
        self._text = ""
        self._mounts: list[Mount] = []

    def refresh_mounts(self) -> None:
        """Read the table. Where there is none (no Linux), no file system is known."""
        try:
            text = self._table.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            text = ""
        if text != self._text:
            self._text, self._mounts = text, parse_mount_table(text)

    def mount_of(self, folder: Path) -> Mount | None:
        """The mount a folder lies on: the longest mount point above it, the newest of equals. None when unknown."""
        real = PurePath(os.path.realpath(folder))
        found: Mount | None = None
        for mount in self._mounts:
            if real.is_relative_to(mount.point) and (found is None or len(mount.point.parts) >= len(found.point.parts)):
                found = mount
        return found


def parse_mount_table(text: str) -> list[Mount]:
    """Lines of /proc/self/mountinfo, see proc(5): the mount point is the fifth field, the type follows a lone dash."""
    mounts = []
    for line in text.splitlines():
        fields = line.split(" ")
        if "-" in fields[6:] and len(fields) > fields.index("-", 6) + 1:
            mounts.append(Mount(PurePath(_plain(fields[4])), fields[fields.index("-", 6) + 1]))
    return mounts


def _plain(field: str) -> str:
    """Blanks, tabs, line breaks and backslashes are written in octal."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), field)
