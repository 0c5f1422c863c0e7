"""Which student a version has, where its settings let the job choose: a version made from it keeps that one."""

from __future__ import annotations

from pathlib import Path

from freeal.results import metrics_as_text
from freeal.results.run_json_file import read_run_json
from freeal.settings import StudentSettings
from freeal.student.comparison import candidates


def settings_with_student_of_version(settings: StudentSettings, version: Path) -> StudentSettings:
    """`settings` with the student that `version` was made with, where they name several and it is one of them: what
    corrections change are labels, not the kind of model. Raises `CorruptModelError` for a damaged version."""
    names = candidates.named_candidates(settings)
    if len(names) == 1:
        return settings
    compared = metrics_as_text.read_metrics(version).get("student_comparison") or {"candidates": []}
    chosen = [one["model"] for one in compared["candidates"] if one["chosen"]]
    name = chosen[0] if chosen else read_run_json(version)["settings"]["student"]["model"]
    return settings.model_copy(update={"model": name}) if name in names else settings
