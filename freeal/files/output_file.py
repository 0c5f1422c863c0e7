"""Where a command writes what it was asked for: never over a folder, a device or the input, and through links and pipes
instead of in their place.

A plain file appears when it is whole. What cannot be renamed to (standard output, a pipe, a terminal, a file with
several names) gets the whole content at the end.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from freeal.errors import ConfigError, FreealError, Where
from freeal.files import atomic_write

STANDARD_OUTPUT = Path("-")
_KINDS = (
    (stat.S_ISDIR, "is a folder", "name a file in it"),
    (stat.S_ISBLK, "is a block device", "name a file"),
    (stat.S_ISSOCK, "is a socket", "name a file, or a pipe"),
)


@dataclasses.dataclass(frozen=True, slots=True)
class OutputFile:
    """`said` is what the user named, `file` the plain file behind it, None where the content is poured into `said`."""

    said: Path
    file: Path | None
    is_standard_output: bool = False

    @contextlib.contextmanager
    def whole(self) -> Iterator[Path]:
        """A plain file to write; when the block ends well its content is where it was wanted."""
        if self.file is not None:
            yield self.file
            return
        with tempfile.TemporaryDirectory(prefix="freeal-") as folder:
            path = Path(folder) / "output.csv"
            yield path
            self._pour(path)

    def put(self, source: Path) -> None:
        """A copy of `source` to where it was wanted."""
        if self.file is None:
            self._pour(source)
            return
        with atomic_write.replacing(self.file) as stream, source.open("rb") as content:
            shutil.copyfileobj(content, stream)

    def _pour(self, source: Path) -> None:
        try:
            if self.is_standard_output:
                sys.stdout.flush()
                descriptor = os.dup(1)
            else:
                descriptor = os.open(self.said, os.O_WRONLY | os.O_CLOEXEC)
            with os.fdopen(descriptor, "wb") as stream, source.open("rb") as content:
                if not self.is_standard_output and stat.S_ISREG(os.fstat(descriptor).st_mode):
                    stream.truncate(0)
                shutil.copyfileobj(content, stream)
        except BrokenPipeError as cause:
            raise FreealError("nobody reads it any more", where=Where(file=self.said)) from cause
        except OSError as cause:
            raise FreealError(f"cannot be written: {cause.strerror}", where=Where(file=self.said)) from cause


def output_file(said: Path, *, key: str, inputs: Sequence[Path] = ()) -> OutputFile:
    """Look before anything is done. `key` is the option that names it, `inputs` are files it must not be.

    Raises `ConfigError` for what cannot be written to, or must not be.
    """
    where = Where(file=said, key=key)
    if said == STANDARD_OUTPUT:
        return OutputFile(said, None, is_standard_output=True)
    try:
        seen = said.stat()
    except FileNotFoundError:
        return OutputFile(said, _new(said, where))
    except OSError as cause:
        problem = (
            "is a link that leads back to itself"
            if cause.errno == errno.ELOOP
            else f"cannot be written: {cause.strerror}"
        )
        raise ConfigError(problem, where=where, hint="name another file") from cause
    _refuse(seen, where, inputs)
    if _is_open_as(seen, 1):
        return OutputFile(said, None, is_standard_output=True)
    if not os.access(said, os.W_OK):
        raise ConfigError("may not be written to", where=where, hint="name another file, or see to its permissions")
    if not stat.S_ISREG(seen.st_mode) or seen.st_nlink > 1 or _is_open_as(seen, 2):
        return OutputFile(said, None)
    return OutputFile(said, _new(said, where))


def _refuse(seen: os.stat_result, where: Where, inputs: Sequence[Path]) -> None:
    for is_one, problem, hint in _KINDS:
        if is_one(seen.st_mode):
            raise ConfigError(problem, where=where, hint=hint)
    for path in inputs:
        if path.exists() and os.path.samestat(seen, path.stat()):
            raise ConfigError("is the input itself", where=where, hint="name another file")


def _is_open_as(seen: os.stat_result, descriptor: int) -> bool:
    """/dev/stdout, or the file that the shell has opened for it: replaced, what others write there would be lost."""
    try:
        return os.path.samestat(seen, os.fstat(descriptor))
    except OSError:
        return False


def _new(said: Path, where: Where) -> Path:
    """The file at the end of all links, which stay."""
    file = Path(os.path.realpath(said))
    if not file.parent.is_dir():
        raise ConfigError("its folder is not there", where=where, hint=f"make {file.parent} first")
    if not os.access(file.parent, os.W_OK | os.X_OK):
        raise ConfigError("its folder may not be written to", where=where, hint="name a file in another folder")
    return file
