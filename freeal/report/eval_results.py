"""A certified accuracy in the form that the Hugging Face hub reads beside a model: `.eval_results/*.yaml`.

The entries are built by huggingface_hub (https://huggingface.co/docs/hub/eval-results). The hub shows results on its
own benchmarks only; the file measured here is none, so its id names no owner there and the notes say what it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from freeal.files import atomic_write
from freeal.report import certified_section

FOLDER, FILE_NAME = ".eval_results", "certified.yaml"
TASK = "certified_accuracy"


def write_eval_results(model: Path, certified: Mapping[str, Any] | None, *, name: str) -> None:
    """The file in a model folder, of the classifier alone; none where nothing is certified, or no longer."""
    path = model / FOLDER / FILE_NAME
    found = eval_result_entries(certified, name=name)
    if not found:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(exist_ok=True)
    with atomic_write.writing(path) as stream:
        yaml.safe_dump(found, stream, sort_keys=False, allow_unicode=True, width=120)


def eval_result_entries(certified: Mapping[str, Any] | None, *, name: str) -> list[dict[str, Any]]:
    """The entries, ready for YAML: the value in per cent, and its interval in the notes."""
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

    student = (certified or {}).get("student", {})
    if certified is None or "accuracy" not in student:
        return []
    low, high = student["interval"]
    entry = EvalResultEntry(
        dataset_id=f"local/{name}",
        task_id=TASK,
        value=round(student["accuracy"] * 100, 2),
        date=certified["day"],
        notes=f"95 % interval {low * 100:.1f} to {high * 100:.1f}. {certified_section.how_certified(certified)}",
    )
    return eval_result_entries_to_yaml([entry])
