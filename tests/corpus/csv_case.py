"""One table as somebody's program wrote it, and what must come of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence


@dataclasses.dataclass(frozen=True)
class Case:
    """`header` and `rows` are what the file says; or `error` is a pattern of the refusal and `line` its line.

    `told` is the `csv` section of the spec; `lines`, where given, the line on which each row begins; `guesses` how many
    of the findings are told to the user as guesses.
    """

    name: str
    source: bytes | Callable[[], bytes]
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    error: str | None = None
    line: int | None = None
    told: Mapping[str, object] = dataclasses.field(default_factory=dict)
    file: str = "table.csv"
    lines: tuple[int, ...] | None = None
    guesses: int | None = None

    @property
    def content(self) -> bytes:
        """The file's bytes; of a large file made when asked for."""
        return self.source if isinstance(self.source, bytes) else self.source()


def reads(
    name: str,
    content: str | bytes,
    header: Sequence[str] | str,
    rows: Sequence[Sequence[str]],
    *,
    encoding: str = "utf-8",
    told: Mapping[str, object] | None = None,
    file: str = "table.csv",
    lines: tuple[int, ...] | None = None,
    guesses: int | None = None,
) -> Case:
    """A case that is read; a header given as one text is split at its spaces."""
    return Case(
        name,
        _bytes(content, encoding),
        tuple(header.split() if isinstance(header, str) else header),
        tuple(map(tuple, rows)),
        told=told or {},
        file=file,
        lines=lines,
        guesses=guesses,
    )


def refuses(
    name: str,
    content: str | bytes | Callable[[], bytes],
    error: str,
    line: int | None = None,
    *,
    encoding: str = "utf-8",
    told: Mapping[str, object] | None = None,
    file: str = "table.csv",
) -> Case:
    """A case that is refused, with `error` (a pattern) in the message."""
    return Case(name, _bytes(content, encoding), error=error, line=line, told=told or {}, file=file)


def _bytes(content: str | bytes | Callable[[], bytes], encoding: str) -> bytes | Callable[[], bytes]:
    return content.encode(encoding) if isinstance(content, str) else content
