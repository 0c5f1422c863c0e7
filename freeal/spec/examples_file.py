"""The JSON file of first demonstrations that a spec or the command line may name: found, read, its faults explained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from freeal.errors import SpecError, Where
from freeal.files import regular_file
from freeal.files.regular_file import Links
from freeal.spec.value_faults import value_as_written

MOST_BYTES = 5_000_000
"""Thousands of demonstrations; a prompt holds dozens."""

FORM = 'write a list of pairs, ["the text", "its label"], or of {"text": "...", "label": "..."}'


def read_examples_file(path: Path, where: Where, *, links: Links = "follow") -> list[Any]:
    """The list in a JSON file, its entries unchecked. `where` is the place that names the file.

    Raises `SpecError`.
    """
    try:
        content = regular_file.read(path, most_bytes=MOST_BYTES, links=links)
    except OSError as cause:
        raise SpecError(f"examples file {path.name!r} cannot be read: {cause.strerror}", where=where) from cause
    if len(content) > MOST_BYTES:
        raise SpecError(f"is longer than {MOST_BYTES:,} bytes: more is not read", where=Where(file=path))
    examples = _parsed_examples(content, path)
    if not isinstance(examples, list):
        problem = f"must be a JSON list, found {value_as_written(examples)}"
        raise SpecError(problem, where=Where(file=path), hint=FORM)
    return examples


def examples_file_beside_spec(folder: Path, name: str, where: Where, links: Links) -> list[Any]:
    """The list in the JSON file `name` of a folder, which is all that a spec may name. Raises `SpecError`."""
    if Path(name).name != name:
        hint = FORM if "\n" in name or len(name) > 200 else None
        problem = f"{name[:200]!r} is not the plain name of a file beside the spec"
        raise SpecError(problem, where=where, hint=hint)
    return read_examples_file(folder / name, where, links=links)


def _parsed_examples(content: bytes, path: Path) -> Any:
    try:
        return json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as cause:
        line = content[: cause.start].count(b"\n") + 1
        raise SpecError("is not UTF-8 text", where=Where(file=path, line=line), hint="save it as UTF-8") from cause
    except json.JSONDecodeError as cause:
        problem = f"is not valid JSON: {cause.msg[:1].lower()}{cause.msg[1:]}"
        line_text = cause.doc.split("\n")[cause.lineno - 1]
        raise SpecError(
            problem, where=Where(file=path, line=cause.lineno), hint=_advice_on_json(cause, line_text)
        ) from cause
    except RecursionError as cause:
        raise SpecError("is nested too deep", where=Where(file=path), hint=FORM) from cause
    except ValueError as cause:  # a number of more digits than Python reads
        raise SpecError(f"is not valid JSON: {cause}", where=Where(file=path), hint=FORM) from cause


def _advice_on_json(cause: json.JSONDecodeError, line: str) -> str:
    if any(mark in line for mark in "\u201c\u201d\u201e"):
        return 'JSON takes straight quotes alone: write "text" in place of \u201ctext\u201d'
    if "'" in line and '"' not in line:
        return "JSON takes double quotes alone: write \"text\" in place of 'text'"
    before, rest = cause.doc[: cause.pos].rstrip(), cause.doc[cause.pos :].lstrip()
    if "trailing comma" in cause.msg or (before.endswith(",") and rest.startswith(("]", "}"))):
        return "no comma stands before a closing bracket, and one between any two entries"
    if "delimiter" in cause.msg:
        return 'a comma is missing between two entries, or a quote within a text: write it as \\"'
    return FORM
