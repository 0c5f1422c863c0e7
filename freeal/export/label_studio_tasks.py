"""Labelled rows as tasks for Label Studio, our labels as predictions, with the labelling interface for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from freeal.export.labelled_rows import LabelledRow, read
from freeal.files import atomic_write
from freeal.report.number_format import printable
from freeal.types import Kind

TASKS, INTERFACE = "tasks.json", "labeling_config.xml"
_TEXT, _LABEL = "text", "label"


def export_tasks(version: Path, output: Path) -> dict[str, Any]:
    """Write tasks and interface into `output`, which is made. Rows without text are left out.

    `data` of a task has the text, the row's number, and its own columns under `row`. Raises `CorruptModelError`.
    """
    earlier, rows = read(version)
    output.mkdir(parents=True, exist_ok=True)
    job = version.name
    kind = earlier.spec.kind
    tasks = [_label_studio_task(row, kind, job=job) for row in rows if row.text]
    atomic_write.write_json(output / TASKS, tasks)
    with atomic_write.writing(output / INTERFACE) as stream:
        title = earlier.spec.description
        stream.write(labelling_interface(list(earlier.spec.labels), title=title, several=kind == "multi"))
    return {
        "tasks": len(tasks),
        "without_text": len(rows) - len(tasks),
        "labels": list(earlier.spec.labels),
        "files": [str(output / TASKS), str(output / INTERFACE)],
    }


def labelling_interface(labels: list[str], *, title: str, several: bool = False) -> str:
    """The labelling interface: one text, one choice among `labels`, or `several`."""
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Header", value=printable(" ".join(title.split())))
    ElementTree.SubElement(view, "Text", name=_TEXT, value=f"${_TEXT}")
    choice = "multiple" if several else "single"
    choices = ElementTree.SubElement(view, "Choices", name=_LABEL, toName=_TEXT, choice=choice, showInline="true")
    for label in labels:
        ElementTree.SubElement(choices, "Choice", value=label)
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode") + "\n"


def _label_studio_task(row: LabelledRow, kind: Kind, *, job: str) -> dict[str, Any]:
    data = {_TEXT: row.text, "row_number": row.number, "row": row.values}
    if row.decision is None or row.label is None:
        return {"data": data}
    prediction = {
        "model_version": job,
        "score": round(row.decision.confidence, 4),
        "result": [{"from_name": _LABEL, "to_name": _TEXT, "type": "choices", "value": {"choices": row.labels(kind)}}],
    }
    return {"data": data, "predictions": [prediction]}
