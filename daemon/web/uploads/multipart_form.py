"""A form with files, read piece by piece: fields stay in memory and are short, files go to the disk as they come."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import anyio.to_thread
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.exceptions import HTTPException
from starlette.requests import Request

FIELD_BYTES = 10_000
MOST_PARTS = 20


@dataclasses.dataclass(slots=True)
class File:
    """One file of a form: the name the browser gave it, and where its bytes are."""

    name: str
    path: Path
    size_bytes: int = 0


@dataclasses.dataclass(slots=True)
class Incoming:
    """What a form brought."""

    fields: dict[str, str] = dataclasses.field(default_factory=dict)
    files: list[File] = dataclasses.field(default_factory=list)


async def receive_form(request: Request, folder: Path, *, most_bytes: int) -> Incoming:
    """Read a multipart form; its files lie in `folder`, under names of ours.

    Raises `HTTPException`: 413 when it is larger than `most_bytes`, 400 for what is no form, 507 when the disk is full.
    The caller removes the folder then.
    """
    kind, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise HTTPException(400, detail="A form with files is expected.")
    announced = request.headers.get("content-length", "0")
    if not announced.isdigit() or int(announced) > most_bytes:
        raise _too_large(most_bytes)
    with contextlib.ExitStack() as opened:
        reader = _Reader(folder, opened)
        parser = MultipartParser(boundary, callbacks=reader.callbacks())  # type: ignore[arg-type]
        received = 0
        try:
            async for chunk in request.stream():
                received += len(chunk)
                if received > most_bytes:
                    raise _too_large(most_bytes)
                await anyio.to_thread.run_sync(parser.write, chunk)
            parser.finalize()
        except FormParserError as problem:
            raise HTTPException(400, detail="The form is damaged.") from problem
        except OSError as problem:
            raise HTTPException(507, detail=f"The file cannot be stored: {problem.strerror}.") from problem
    if not reader.is_complete:
        raise HTTPException(400, detail="The form is cut off.")
    return reader.incoming


def _too_large(most_bytes: int) -> HTTPException:
    text = f"The file is too large: at most {most_bytes // 1_000_000} MB (web.max_upload_mb). Copy it into the inbox."
    return HTTPException(413, detail=text)


class _Reader:
    """Listens to the parser."""

    def __init__(self, folder: Path, opened: contextlib.ExitStack) -> None:
        self.incoming = Incoming()
        self.is_complete = False
        self._folder, self._opened = folder, opened
        self._name, self._value = b"", b""
        self._headers: dict[bytes, bytes] = {}
        self._field: str | None = None
        self._content = bytearray()
        self._stream: BinaryIO | None = None
        self._parts = 0

    def callbacks(self) -> dict[str, Callable[..., None]]:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._open_part,
            "on_part_data": self._part_data,
            "on_part_end": self._close,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._headers = {}
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise HTTPException(400, detail=f"At most {MOST_PARTS} files and fields at once.")

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._name.lower()] = self._value.strip()
        self._name, self._value = b"", b""

    def _open_part(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        name = options.get(b"filename")
        self._field, self._stream, self._content = None, None, bytearray()
        if name is None:
            self._field = options.get(b"name", b"").decode(errors="replace")
        elif name:  # an empty file field of a browser has an empty name
            path = self._folder / f"part{self._parts}"
            self._stream = self._opened.enter_context(path.open("xb"))
            self.incoming.files.append(File(name.decode(errors="replace"), path))

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._stream is not None:
            self._stream.write(data[start:end])
            self.incoming.files[-1].size_bytes += end - start
        elif self._field is not None:
            self._content += data[start:end]
            if len(self._content) > FIELD_BYTES:
                raise HTTPException(400, detail="A field of the form is too long.")

    def _close(self) -> None:
        if self._stream is not None:
            self._stream.close()
        elif self._field is not None:
            self.incoming.fields[self._field] = self._content.decode(errors="replace")

    def _end(self) -> None:
        self.is_complete = True
