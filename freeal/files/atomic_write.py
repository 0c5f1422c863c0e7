"""Files that are written whole or not at all: temp beside the target, fsync, rename, fsync of the folder."""

from __future__ import annotations

import contextlib
import io
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any


@contextlib.contextmanager
def writing(path: Path, encoding: str = "utf-8") -> Iterator[IO[str]]:
    """A text file that appears under `path` when the block ends well, and leaves nothing behind when it does not.

    Newlines are written as given.
    """
    with replacing(path) as stream:
        text = io.TextIOWrapper(stream, encoding=encoding, newline="")
        try:
            yield text
        finally:
            text.detach()  # flushes; the bytes below are closed by whoever opened them


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file of bytes that appears under `path` when the block ends well, and leaves nothing behind otherwise."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


def write_json(path: Path, content: Any) -> None:
    """`content` as indented JSON; NaN is refused, it is no JSON."""
    text = json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False)
    with writing(path) as stream:
        stream.write(text + "\n")


def sync(path: Path) -> None:
    """Make a file's content, or a folder's names, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """`sync` everything in a folder that others wrote, before it gets the name it is known by."""
    for parent, _, names in os.walk(folder):
        for name in names:
            sync(Path(parent, name))
        sync(Path(parent))
