"""Labelled rows as a folder for `datasets.load_dataset`: the CSV, and a card whose YAML names columns and labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from freeal.errors import InputError, Where
from freeal.export.labelled_rows import LabelledRow, read
from freeal.files import atomic_write
from freeal.results.output_files import ANNOTATED_COLUMNS
from freeal.results.previous_version import Earlier
from freeal.table import free_name, write_rows

DATA = "annotated.csv"
_LABELS = ("freeal_label", "freeal_llm_label", "freeal_student_label")
_TYPES = {"freeal_confidence": "float64", "freeal_clean": "float64", "freeal_round": "int64"}


def export_dataset(version: Path, output: Path) -> dict[str, Any]:
    """Write `annotated.csv` and `README.md` into `output`, which is made; rows, columns and labels for JSON.

    Labels are `class_label`s in the order of the spec, several of a row are one text; what is empty is null. Raises
    `CorruptModelError` for the version and `InputError` where two columns have one name.
    """
    earlier, rows = read(version)
    header = list(earlier.table.header)
    if doubled := next((name for name in header if header.count(name) > 1), None):
        raise InputError(f"has two columns named {doubled!r}", where=Where(file=version / DATA))
    named: dict[str, str] = {}
    several = earlier.spec.kind == "multi"
    for column in ("freeal_labels" if several else ANNOTATED_COLUMNS[0], *ANNOTATED_COLUMNS[1:-1]):
        named[column] = free_name(column, [*header, *named.values()])
    output.mkdir(parents=True, exist_ok=True)
    with atomic_write.writing(output / DATA) as stream:
        write_rows(
            stream,
            [*header, *named.values()],
            ([*row.values.values(), *_dataset_cells(row)] for row in rows),
            delimiter=",",
        )
    with atomic_write.writing(output / "README.md") as stream:
        stream.write(_dataset_card(earlier, header, named))
    return {
        "rows": len(rows),
        "columns": [*header, *named.values()],
        "labels": list(earlier.spec.labels),
        "files": [str(output / DATA), str(output / "README.md")],
    }


def _dataset_cells(row: LabelledRow) -> list[str]:
    found = row.decision
    if found is None:
        return ["", "", "failed", "", "", "", ""]
    return [
        found.label or "",
        f"{found.confidence:z.4f}",
        found.source,
        found.llm_label or "",
        found.student_label,
        str(found.round),
        f"{found.clean:z.4f}",
    ]


def _dataset_card(earlier: Earlier, header: list[str], named: dict[str, str]) -> str:
    labels = {"class_label": {"names": {str(place): name for place, name in enumerate(earlier.spec.labels)}}}
    several = earlier.spec.kind == "multi"
    features: list[dict[str, Any]] = [{"name": name, "dtype": "string"} for name in header]
    features += [
        {"name": name, "dtype": labels if column in _LABELS and not several else _TYPES.get(column, "string")}
        for column, name in named.items()
    ]
    content = {
        "task_categories": ["text-classification"],
        "tags": ["freeal", "llm-annotated"],
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": "train", "path": DATA}],
                "keep_default_na": False,  # `NA` and `null` are texts
                "na_values": [""],
            }
        ],
        "dataset_info": {"features": features},
    }
    meanings = "\n".join(
        f"- `{name}`: {meaning or '(no meaning given)'}" for name, meaning in earlier.spec.labels.items()
    )
    head = yaml.safe_dump(content, allow_unicode=True, sort_keys=False)
    return (
        f"---\n{head}---\n\n# {earlier.spec.name}\n\n{earlier.spec.description}\n\n{meanings}\n\n"
        f"Annotated by `{earlier.llm.model}` ({earlier.llm.provider}) with FreeAL: {_own_columns(several)}\n"
    )


def _own_columns(several: bool) -> str:  # noqa: FBT001 - named by who calls it
    if several:
        return (
            "`freeal_labels` are the final labels, joined by `;` (within a name `\\;`), `(none)` for none, and "
            "`freeal_confidence` the probability of exactly these."
        )
    return "`freeal_label` is the final label and `freeal_confidence` its probability."
