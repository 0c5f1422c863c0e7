"""What atheris runs: `fuzz.py reader|spec|answers [libFuzzer options]`. A traceback is a finding."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["freeal", "csv", "json", "yaml"]):
    from freeal.annotation import reply_parser
    from freeal.errors import FreealError
    from freeal.spec import job_spec
    from freeal.table import read_table
    from freeal.table.csv_format import CsvFormat
    from freeal.types import Reply

_FOLDER = Path(tempfile.mkdtemp(prefix="freeal-fuzz-"))
_NAMES = ("t.csv", "t.tsv", "t.jsonl")
_LABELS = ["good", "very good", "bad", "-1", "C++"]


def reader(data: bytes) -> None:
    """Any bytes are a rectangular table in the order of its lines, or refused."""
    path = _FOLDER / _NAMES[data[0] % len(_NAMES) if data else 0]
    path.write_bytes(data[1:])
    try:
        table = read_table(path, CsvFormat())
    except FreealError:
        return
    if any(len(row) != len(table.header) for row in table.rows) or table.lines != sorted(set(table.lines)):
        raise AssertionError(table)


def spec_loader(data: bytes) -> None:
    """Any bytes are a spec, or refused."""
    path = _FOLDER / "reviews.yaml"
    path.write_bytes(data)
    try:
        job_spec.load(path).digest()
    except FreealError:
        return


def answer_parser(data: bytes) -> None:
    """Any reply is a label, or none."""
    text = data.decode("utf-8", "surrogateescape")
    found = reply_parser.read_reply(Reply(text=text), _LABELS)
    if found.label not in (None, *_LABELS) or not 0.0 <= found.confidence <= 1.0:
        raise AssertionError(found)
    reply_parser.read_texts(Reply(text=text))


TARGETS = {"reader": reader, "spec": spec_loader, "answers": answer_parser}

if __name__ == "__main__":
    target = TARGETS[sys.argv.pop(1)]
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()
