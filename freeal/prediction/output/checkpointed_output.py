"""A file on its way: written in pieces beside its target, with a checkpoint after each, and renamed when it is whole.

`.out.csv.part` holds the rows so far, `.out.csv.part.json` how many of its bytes count and whatever else the writer has
to know to go on. Whoever is killed goes on after the last checkpoint: the part is cut back to it. A form that cannot be
appended to (Parquet) is made of the part at the end, as `.out.parquet.packed`.
"""

from __future__ import annotations

import fcntl
import glob
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from freeal.errors import InputError, OutputBusyError, Where
from freeal.files import atomic_write

PREDECESSOR_SECONDS = 60.0
"""How long the process of a run that was cut off may take to end."""
_LOOK_SECONDS = 0.2


class Part:
    """The unfinished form of `target`. One process at a time.

    `origin` identifies all that the content depends on: a part of another origin is begun anew. `state` is what the
    last checkpoint held, None where there is none to go on from.
    """

    def __init__(self, target: Path, *, origin: str, patience_seconds: float) -> None:
        """Open it, or what is left of it. Raises `InputError` when another process holds it or its folder is not there,
        `OSError` otherwise."""
        self.target = target
        self.path = target.with_name(f".{target.name}.part")
        self._packed = target.with_name(f".{target.name}.packed")
        self._checkpoint = target.with_name(f".{target.name}.part.json")
        self._origin = origin
        self._bytes = 0
        self.state: dict[str, Any] | None = None
        self._stream: BinaryIO | None = None
        if self._is_whole():
            return
        self._stream = _lock_part(self.path, target, patience_seconds)
        for torn in target.parent.glob(f".{glob.escape(self._checkpoint.name)}.????????.tmp"):
            torn.unlink()  # a checkpoint that a kill cut off
        if not self._resume_from_checkpoint():
            self.state = None
            self._checkpoint.unlink(missing_ok=True)
            self._stream.truncate(0)
        self._stream.seek(self._bytes)

    @property
    def is_whole(self) -> bool:
        """Whether the target is there already, made from this origin, and only what is said of it is left to do."""
        return self._stream is None

    def append(self, content: bytes, state: dict[str, Any]) -> None:
        """Write a piece and the state after it. Both are on the disk when this returns, or neither counts."""
        assert self._stream is not None  # noqa: S101 - a part that is whole takes no more
        self._stream.write(content)
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._bytes += len(content)
        self._write_checkpoint(state, whole=False)

    def complete(self, state: dict[str, Any], *, pack: Callable[[Path, Path], None] | None = None) -> None:
        """Give the file its name. `state` stays in the checkpoint until `forget`. `pack` writes from the part, its
        first argument, the form that the target is to have into its second."""
        if pack is not None:
            pack(self.path, self._packed)
            atomic_write.sync(self._packed)
            self._bytes = self._packed.stat().st_size
        self._write_checkpoint(state, whole=True)
        self._give_name()
        atomic_write.sync(self.target.parent)
        self.close()

    def forget(self) -> None:
        """Away with the checkpoint: the target is all there is."""
        self._checkpoint.unlink(missing_ok=True)

    def discard(self) -> None:
        """Away with everything: it cannot be gone on with."""
        self.forget()
        if self._stream is not None:
            self.path.unlink(missing_ok=True)
            self._packed.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Let go of the file; what counts of it stays."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _write_checkpoint(self, state: dict[str, Any], *, whole: bool) -> None:
        content = {"origin": self._origin, "bytes": self._bytes, "whole": whole, "state": state}
        atomic_write.write_json(self._checkpoint, content)
        self.state = state

    def _is_whole(self) -> bool:
        found = self._read_checkpoint()
        if found is None or not found["whole"]:
            return False
        self.state, self._bytes = found["state"], found["bytes"]
        self._give_name()  # it may have been cut off just before
        return self.target.is_file() and self.target.stat().st_size == self._bytes

    def _give_name(self) -> None:
        """The part is renamed last, or goes first: a part beside the target would be taken for a newer one."""
        if self._packed.exists():
            self.path.unlink(missing_ok=True)
            self._packed.replace(self.target)
        elif self.path.exists():
            self.path.replace(self.target)

    def _resume_from_checkpoint(self) -> bool:
        found = self._read_checkpoint()
        assert self._stream is not None  # noqa: S101 - opened by the caller
        if found is None or found["whole"] or os.fstat(self._stream.fileno()).st_size < found["bytes"]:
            self._bytes = 0
            return False
        self.state, self._bytes = found["state"], found["bytes"]
        self._stream.truncate(self._bytes)
        return True

    def _read_checkpoint(self) -> dict[str, Any] | None:
        """The checkpoint, if it is one of ours and of this origin."""
        try:
            found = json.loads(self._checkpoint.read_text(encoding="utf-8"))
            usable = found["origin"] == self._origin and isinstance(found["bytes"], int) and "state" in found
            return found if usable and isinstance(found["whole"], bool) else None
        except (OSError, ValueError, KeyError, TypeError):
            return None


def _lock_part(path: Path, target: Path, patience_seconds: float) -> BinaryIO:
    """The file, open for writing at any place and locked by this process."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    except FileNotFoundError as cause:
        raise InputError("its folder is not there", where=Where(file=target), hint="make it first") from cause
    stream = os.fdopen(descriptor, "r+b")
    end = time.monotonic() + patience_seconds
    while True:
        try:
            fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as cause:
            if time.monotonic() > end:
                stream.close()
                problem = "is being written by another process"
                raise OutputBusyError(problem, where=Where(file=target), hint="wait for it, or stop it") from cause
            time.sleep(_LOOK_SECONDS)
        else:
            return stream
