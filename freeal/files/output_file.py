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
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from freeal.errors import ConfigError, FreealError, Where

STANDARD_OUTPUT = Path("-")
_PATIENCE_SECONDS = 5.0
_LOOK_SECONDS = 0.1
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
    pipe: int | None = None
    """The descriptor of a pipe, opened before there is anything to write: so somebody surely reads it."""

    @contextlib.contextmanager
    def whole(self) -> Iterator[Path]:
        """A plain file to write; when the block ends well its content is where it was wanted."""
        if self.file is not None:
            yield self.file
            return
        with tempfile.TemporaryDirectory(prefix="freeal-") as folder:
            path = Path(folder) / "output.csv"
            yield path
            self._pour_into_output(path)

    def _pour_into_output(self, source: Path) -> None:
        try:
            if self.is_standard_output:
                sys.stdout.flush()
                descriptor = os.dup(1)
            elif self.pipe is not None:
                descriptor = os.dup(self.pipe)
            else:
                descriptor = os.open(self.said, os.O_WRONLY | os.O_CLOEXEC)
            with os.fdopen(descriptor, "wb") as stream, source.open("rb") as content:
                if not self.is_standard_output and stat.S_ISREG(os.fstat(descriptor).st_mode):
                    stream.truncate(0)
                shutil.copyfileobj(content, stream)
            if self.pipe is not None:
                os.close(self.pipe)  # whoever reads it waits for the end
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
        return OutputFile(said, _new_output_file(said, where))
    except OSError as cause:
        problem = (
            "is a link that leads back to itself"
            if cause.errno == errno.ELOOP
            else f"cannot be written: {cause.strerror}"
        )
        raise ConfigError(problem, where=where, hint="name another file") from cause
    _refuse_output_file(seen, where, inputs)
    if _is_open_as(seen, 1):
        return OutputFile(said, None, is_standard_output=True)
    if not os.access(said, os.W_OK):
        raise ConfigError("may not be written to", where=where, hint="name another file, or see to its permissions")
    if stat.S_ISFIFO(seen.st_mode):
        return OutputFile(said, None, pipe=_opened_pipe(said, where))
    if not stat.S_ISREG(seen.st_mode) or seen.st_nlink > 1 or _is_open_as(seen, 2):
        return OutputFile(said, None)
    return OutputFile(said, _new_output_file(said, where))


def _opened_pipe(said: Path, where: Where) -> int:
    """To open a pipe that nobody reads would wait for ever."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            descriptor = os.open(said, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as cause:
            if cause.errno != errno.ENXIO or time.monotonic() > end:
                problem = "is a pipe that nobody reads" if cause.errno == errno.ENXIO else "cannot be opened"
                raise ConfigError(problem, where=where, hint="start what reads it first") from cause
            time.sleep(_LOOK_SECONDS)
        else:
            os.set_blocking(descriptor, True)
            return descriptor


def _refuse_output_file(seen: os.stat_result, where: Where, inputs: Sequence[Path]) -> None:
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


def _new_output_file(said: Path, where: Where) -> Path:
    """The file at the end of all links, which stay."""
    file = Path(os.path.realpath(said))
    if not file.parent.is_dir():
        raise ConfigError("its folder is not there", where=where, hint=f"make {file.parent} first")
    if not os.access(file.parent, os.W_OK | os.X_OK):
        raise ConfigError("its folder may not be written to", where=where, hint="name a file in another folder")
    return file
