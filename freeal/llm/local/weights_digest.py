"""What weights are, in a few characters: SHA-256 over every byte, so that two models that differ anywhere are two.

Part of every stored answer's key. A file is read once, half a second for each 300 MB, and remembered in the cache
folder for as long as it is untouched.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path

from freeal.files import atomic_write

_MEMORY = "weights_digests.json"
_MOST_REMEMBERED = 200
_WEIGHTS = {".safetensors", ".bin", ".gguf", ".pt", ".pth"}
_WITH_THEM = {".json", ".txt", ".model", ".jinja", ".py"}
"""Configuration, tokenizer and code: what else changes an answer."""


def weights_digest(file: Path, *, cache: Path) -> str:
    """The hex digest of a weight file. `cache` remembers it by path, inode, size and times: the time of the last change
    of the inode among them, which no program can set back. Raises `OSError` when the file cannot be read.
    """
    found = file.stat()
    identity = f"{file.resolve()}|{found.st_ino}|{found.st_size}|{found.st_mtime_ns}|{found.st_ctime_ns}"
    known = _remembered_digests(cache)
    if identity not in known:
        with file.open("rb") as stream:
            known[identity] = hashlib.file_digest(stream, "sha256").hexdigest()
        with contextlib.suppress(OSError):  # a cache that cannot be written costs time, nothing else
            cache.mkdir(parents=True, exist_ok=True)
            atomic_write.write_json(cache / _MEMORY, dict([*known.items()][-_MOST_REMEMBERED:]))
    return known[identity]


def folder_digest(folder: Path, *, cache: Path) -> str:
    """Sixteen hexadecimal digits for a Hugging Face folder: weights, configuration and tokenizer."""
    digest = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        if file.suffix in _WEIGHTS:
            digest.update(f"{file.name}:{weights_digest(file, cache=cache)}".encode())
        elif file.suffix in _WITH_THEM:
            digest.update(f"{file.name}:".encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def _remembered_digests(cache: Path) -> dict[str, str]:
    try:
        content = json.loads((cache / _MEMORY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
