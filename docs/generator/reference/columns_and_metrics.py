"""columns.md and metrics.md: what stands in the files that come out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import freeal.report
from docs.generator.reference.markdown_tables import table
from freeal.certification import blind_sheet
from freeal.corrections.review_queue import REVIEW_COLUMNS
from freeal.prediction.output.output_cells import PREDICTION_COLUMNS
from freeal.results.output_files import COLUMN_MEANINGS, SEVERAL_LABELS_MEANINGS, SEVERAL_MEANINGS
from freeal.text.label_paths import TREE_MEANINGS
from freeal.types import STATUS_MEANINGS

COLUMNS = """\
# Output columns

Your columns stand before ours, as they were and in the same order. A name that your file already uses gets `_2`.
Rows in are rows out, always. What the figures mean: [What comes out](../results.md).
"""

METRICS = """\
# metrics.json

`models/<name>/metrics.json` tells what happened; `python -m freeal show` prints it in words. Accuracies and what is
derived from them stand there only where `label_column` gives true labels. The schema itself is
`freeal/report/metrics.schema.json`. `[]` stands for each entry of a list. `asked`, `answered`, `invalid`, `clean`
and `changed` count distinct texts; `agreement` and `llm_student_agreement` are shares of the texts that the
language model labelled; `abstained`, `label_counts` and everything measured against true labels count the rows of
your CSV.
"""


def columns_page() -> str:
    """Our columns in every table we write, and what may stand under freeal_status."""
    statuses: Mapping[str, str] = {
        **{str(status): meaning for status, meaning in STATUS_MEANINGS.items()},
        "duplicate_of:<row>": "the same text stands in that row, counted from 1 without the header",
    }
    tables = {
        "Labelled rows": (
            "`annotated/<stem>.csv` of a model, `annotated.csv` of a version.",
            COLUMN_MEANINGS | TREE_MEANINGS | SEVERAL_MEANINGS | SEVERAL_LABELS_MEANINGS,
        ),
        "Predictions": ("`predictions/<stem>.csv`, and what `predict` writes.", PREDICTION_COLUMNS),
        "Review queue": (
            "`review_queue.csv`: your id column and text columns as in your file, then these.",
            REVIEW_COLUMNS,
        ),
        "Blind sheet": (
            f"`{blind_sheet.FILE_NAME}` of `certify`: row number, your id column, the text, then this.",
            {blind_sheet.COLUMN: "empty: for the label a person gives; `-` none of them is right, `?` cannot say"},
        ),
    }
    parts = [
        COLUMNS.strip(),
    ]
    for title, (where, columns) in tables.items():
        parts += [
            f"## {title}",
            where,
            table(["column", "meaning"], [[f"`{name}`", meaning] for name, meaning in columns.items()]),
        ]
    parts += [
        "## What freeal_status may say",
        (
            "Several may hold at once, joined by `;`. A row without a usable answer is still labelled by the student "
            "where it has a text."
        ),
        table(["status", "meaning"], [[f"`{name}`", meaning] for name, meaning in statuses.items()]),
    ]
    return "\n\n".join(parts)


def metrics_page() -> str:
    """Every key of metrics.json, from its published schema."""
    schema = json.loads(Path(freeal.report.__path__[0], "metrics.schema.json").read_text(encoding="utf-8"))
    parts = [
        METRICS.strip(),
    ]
    plain = {name: content for name, content in schema["properties"].items() if len(list(walk(name, content))) == 1}
    groups = {"What was done": plain} | {
        name: dict(walk(name, content)) for name, content in schema["properties"].items() if name not in plain
    }
    for title, keys in groups.items():
        rows = [[f"`{key}`", kind_of(value), value.get("description", "")] for key, value in keys.items()]
        parts += [f"## {title}", table(["key", "is", "meaning"], rows)]
    return "\n\n".join(parts)


def walk(name: str, content: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(dotted key, its schema), depth first."""
    yield name, content
    for key, value in content.get("properties", {}).items():
        yield from walk(f"{name}.{key}", value)
    for key, value in content.get("items", {}).get("properties", {}).items():
        yield from walk(f"{name}[].{key}", value)


def kind_of(content: Mapping[str, Any]) -> str:
    """A JSON type in a reader's words."""
    named = content.get("type", "number" if "const" in content else "")
    words = {"integer": "whole number", "string": "text", "array": "list", "object": "mapping"}
    return " or ".join(words.get(one, one) for one in ([named] if isinstance(named, str) else named))
