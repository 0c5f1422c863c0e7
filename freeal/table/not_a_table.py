"""What lies under a table's name and is none: another format, a web page, what stands in for a file not fetched."""

from __future__ import annotations

import re
from pathlib import Path

from freeal.errors import InputError, Where

SNIFFED_BYTES = 512

_AS_CSV = "save it as CSV (UTF-8)"
_UNPACK = "unpack it, and drop the table in it"
_FORMATS = {
    b"PK\x03\x04": ("is an Excel workbook or another zip archive", "name a workbook .xlsx, or save it as CSV (UTF-8)"),
    b"\xd0\xcf\x11\xe0": ("is an old Excel workbook", _AS_CSV),
    b"PAR1": ("is a Parquet file", "name it .parquet"),
    b"ARROW1": ("is an Arrow file", _AS_CSV),
    b"Obj\x01": ("is an Avro file", _AS_CSV),
    b"ORC": ("is an ORC file", _AS_CSV),
    b"\x89HDF": ("is an HDF5 file", _AS_CSV),
    b"%PDF": ("is a PDF document", _AS_CSV),
    b"{\\rtf": ("is a text document (RTF)", _AS_CSV),
    b"SQLite format 3\x00": ("is an SQLite database", _AS_CSV),
    b"\x28\xb5\x2f\xfd": ("is packed with zstd", "unpack it, or pack it with gzip"),
    b"BZh": ("is packed with bzip2", "unpack it, or pack it with gzip"),
    b"\xfd7zXZ\x00": ("is packed with xz", "unpack it, or pack it with gzip"),
    b"7z\xbc\xaf\x27\x1c": ("is a 7z archive", _UNPACK),
    b"Rar!": ("is a RAR archive", _UNPACK),
    b"\x89PNG": ("is a picture", "drop a table"),
    b"\xff\xd8\xff": ("is a picture", "drop a table"),
    b"GIF8": ("is a picture", "drop a table"),
}
_FETCH_PAGE = "download the file itself: a login, an expired link or a share's preview gives a page instead"
_TEXTS: tuple[tuple[re.Pattern[bytes], str, str], ...] = (
    (
        re.compile(rb"version https://(?:git-lfs|hawser)"),
        "is the pointer that Git LFS keeps in place of a large file: the table itself was not fetched",
        "run `git lfs pull` where it comes from, or download the file itself",
    ),
    (
        re.compile(rb"(?:\.\./)*(?:\.git)?/annex/objects/"),
        "is the pointer that git-annex keeps in place of a large file: the table itself was not fetched",
        "run `git annex get` where it comes from",
    ),
    (
        re.compile(rb"outs:\s*\n- (?:md5|etag|hash|size):"),
        "is the pointer that DVC keeps in place of a large file: the table itself was not fetched",
        "run `dvc pull` where it comes from",
    ),
    (
        re.compile(rb"<(?:!doctype|html|head|body|title|meta|script|!--)[\s>]", re.IGNORECASE),
        "is a web page, not a table",
        _FETCH_PAGE,
    ),
    (
        re.compile(rb"<(?:\?xml|error|code|rss|svg)[\s>]", re.IGNORECASE),
        "is an XML document, often a server's message of an error, not a table",
        _FETCH_PAGE,
    ),
    (re.compile(rb"HTTP/[\d.]+ \d{3}"), "is a server's answer with its headers, not a table", _FETCH_PAGE),
    (re.compile(rb"-----BEGIN "), "is encrypted, a key or a certificate, not a table", "decrypt it first"),
)
_JSON = re.compile(r'\s*(?:\[\s*)?\{\s*(?:"(?:[^"\\]|\\.)*"\s*:|\})|\s*\[\s*(?:"|\[|\])')


def start_of(path: Path) -> bytes:
    """How a file begins. Raises `InputError`."""
    try:
        with path.open("rb") as stream:
            return stream.read(SNIFFED_BYTES)
    except OSError as cause:
        raise InputError(f"cannot be read: {cause.strerror or cause}", where=Where(file=path)) from cause


def refuse_stranger(start: bytes, path: Path) -> None:
    """Raise `InputError` where a file that begins so is no text, or no table."""
    for mark, (what, hint) in _FORMATS.items():
        if start.startswith(mark):
            said = what if "page" in what else f"{what}, not a text file"
            raise InputError(said, where=Where(file=path), hint=hint)
    if start[257:262] == b"ustar":
        raise InputError("is a tar archive, not a text file", where=Where(file=path), hint=_UNPACK)
    refuse_stand_in(start, path)


def refuse_stand_in(start: bytes, path: Path) -> None:
    """Raise `InputError` where a text stands in for the file: a pointer, a page, a server's message."""
    for form, what, hint in _TEXTS:
        if form.match(start.lstrip(b"\xef\xbb\xbf \t\r\n")):
            raise InputError(f"{what} (it begins with {_begins(start)})", where=Where(file=path, line=1), hint=hint)


def refuse_json(text: str, path: Path) -> None:
    """Raise `InputError` where what is to be a CSV begins like JSON: an export in another form, or a server's error."""
    if _JSON.match(text):
        begins = " ".join(text.split())[:80]
        raise InputError(
            f"is JSON, not a table (it begins with {begins!r})",
            where=Where(file=path, line=1),
            hint="one object per line goes by the ending .jsonl; if it is the message of an error, get the file again",
        )


def _begins(start: bytes) -> str:
    return repr(" ".join(start.decode("utf-8", "replace").split())[:60])
