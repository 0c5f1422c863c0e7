"""Labelled rows as a dataset folder for Argilla (`rg.Dataset.from_disk`), our labels as suggestions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from freeal.export.labelled_rows import LabelledRow, read
from freeal.files import atomic_write
from freeal.spec.job_spec import Spec
from freeal.types import Kind

RECORDS, SETTINGS, DATASET = "records.json", ".argilla/settings.json", ".argilla/dataset.json"
_TEXT, _LABEL, _AGENT = "text", "label", "freeal"


def export_records(version: Path, output: Path) -> dict[str, Any]:
    """Write the three files that `rg.Dataset.from_disk(output)` reads. Rows without text are left out.

    A record's id is its row's number; confidence, source and the true label where one is known are metadata. Raises
    `CorruptModelError`.
    """
    earlier, rows = read(version)
    (output / ".argilla").mkdir(parents=True, exist_ok=True)
    records = [_argilla_record(row, earlier.spec.kind) for row in rows if row.text]
    atomic_write.write_json(output / DATASET, {"name": earlier.spec.name, "guidelines": earlier.spec.description})
    atomic_write.write_json(output / SETTINGS, argilla_settings(earlier.spec))
    atomic_write.write_json(output / RECORDS, records)
    return {
        "records": len(records),
        "without_text": len(rows) - len(records),
        "labels": list(earlier.spec.labels),
        "files": [str(output / name) for name in (DATASET, SETTINGS, RECORDS)],
    }


def argilla_settings(spec: Spec) -> dict[str, Any]:
    """Fields, the question with its labels and their meanings, and the metadata, as Argilla's `Settings` has them."""
    options = [{"value": name, "text": name, "description": meaning or None} for name, meaning in spec.labels.items()]
    several = spec.kind == "multi"
    return {
        "guidelines": spec.description,
        "allow_extra_metadata": True,
        "fields": [
            {"name": _TEXT, "title": "Text", "required": True, "settings": {"type": "text", "use_markdown": False}}
        ],
        "questions": [
            {
                "name": _LABEL,
                "title": spec.description,
                "required": not several,  # with several labels none may be right
                "settings": {
                    "type": "multi_label_selection" if several else "label_selection",
                    "options": options,
                    "visible_options": max(3, len(options)),
                },
            }
        ],
        "vectors": [],
        "metadata": [
            {"name": "confidence", "title": "Confidence", "settings": {"type": "float"}},
            {"name": "source", "title": "Source", "settings": {"type": "terms"}},
        ],
        "distribution": {"strategy": "overlap", "min_submitted": 1},
    }


def _argilla_record(row: LabelledRow, kind: Kind) -> dict[str, Any]:
    found: dict[str, Any] = {
        "id": str(row.number),
        "fields": {_TEXT: row.text},
        "metadata": {},
        "suggestions": {},
        "responses": {},
        "vectors": {},
        "status": "pending",
    }
    if row.decision is not None:
        found["metadata"] = {"confidence": round(row.decision.confidence, 4), "source": row.decision.source}
        value = row.labels(kind) if kind == "multi" else row.label
        if value:
            score = round(row.decision.confidence, 4)
            if isinstance(value, list):  # Argilla wants a score for each
                found["suggestions"] = {_LABEL: {"value": value, "score": [score] * len(value), "agent": _AGENT}}
            else:
                found["suggestions"] = {_LABEL: {"value": value, "score": score, "agent": _AGENT}}
    if row.truth is not None:
        found["metadata"]["true_label"] = row.truth
    return found
