"""run.json of a version, which tells how it was made. Light: reads one small file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from freeal.errors import CorruptModelError, Where
from freeal.spec.job_spec import Spec

FILE_NAME = "run.json"


def read_run_json(version: Path) -> dict[str, Any]:
    """run.json in the version's folder. Raises `CorruptModelError`."""
    return read_json_of_version(version / FILE_NAME)


def read_spec_of_version(version: Path) -> Spec:
    """The spec that a version was made by. Raises `CorruptModelError`."""
    try:
        return Spec.model_validate(read_run_json(version)["spec"])
    except (ValidationError, KeyError, TypeError) as cause:
        raise CorruptModelError("is damaged: it holds no valid spec", where=Where(file=version / FILE_NAME)) from cause


def read_json_of_version(path: Path) -> dict[str, Any]:
    """One of the JSON files that every version holds. Raises `CorruptModelError`."""
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as cause:
        hint = "a version made before there were corrections: drop its CSV and spec again, with `force: true`"
        raise CorruptModelError("is missing", where=Where(file=path), hint=hint) from cause
    except OSError as cause:
        raise CorruptModelError(f"cannot be read: {cause.strerror}", where=Where(file=path)) from cause
    except ValueError as cause:
        raise CorruptModelError(f"is not valid JSON: {cause}", where=Where(file=path)) from cause
    return content
