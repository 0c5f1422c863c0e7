"""What a person hands back about a version, whatever it is: corrections, a filled blind sheet, or boundary answers.

Corrections and boundary answers make a new version; a sheet measures the one that is there.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from freeal.certification import blind_sheet
from freeal.compute.device_turn import DeviceTurn, always
from freeal.corrections import corrections_file
from freeal.errors import FreealError
from freeal.events import Emit, ignore
from freeal.files import atomic_write
from freeal.job.new_version import boundary_job, certification_job
from freeal.job.new_version.boundary_job import BoundaryJob
from freeal.job.new_version.correction_job import CorrectionJob, correct
from freeal.job.run_training_job import Outcome
from freeal.llm.limits.rate_limiter import Limiter
from freeal.results import metrics_as_text
from freeal.table import RowReader
from freeal.table.csv_format import CsvFormat
from freeal.table.file_formats import is_yaml

Kind = Literal["corrections", "blind sheet", "boundary answers"]


def kind_of_feedback(path: Path) -> Kind:
    """What a file is: YAML answers boundary questions; a table with a `freeal_certified` column and no
    `freeal_corrected` is a sheet; any other one holds corrections, or is told by their reader what it lacks."""
    if is_yaml(path.name):
        return "boundary answers"
    try:
        with RowReader(path, CsvFormat()) as reader:
            names = set(reader.header)
    except FreealError:
        return "corrections"  # their reader says the same of the file, and all of it
    is_sheet = blind_sheet.COLUMN in names and corrections_file.COLUMN not in names
    return "blind sheet" if is_sheet else "corrections"


async def carry_feedback(
    job: CorrectionJob,
    *,
    emit: Emit = ignore,
    api_key: str | None = None,
    environ: Mapping[str, str] = os.environ,
    limiter: Limiter | None = None,
    device_turn: DeviceTurn = always,
) -> Outcome | dict[str, Any]:
    """Do what the job's `csv` asks for; the outcome of a new version, or the figures a sheet gave.

    Raises what `correct`, `apply_boundary_answers` and `certify_version` raise.
    """
    kind = kind_of_feedback(job.csv)
    if kind == "blind sheet":
        return _certify_by_sheet(job)
    if kind == "corrections":
        return await correct(job, emit=emit, api_key=api_key, environ=environ, limiter=limiter, device_turn=device_turn)
    answers = BoundaryJob.model_validate(job.model_dump())
    return await boundary_job.apply_boundary_answers(
        answers, emit=emit, api_key=api_key, environ=environ, limiter=limiter, device_turn=device_turn
    )


def _certify_by_sheet(job: CorrectionJob) -> dict[str, Any]:
    """Figures into the version's files and those on top of its model's folder; a copy as the job's own output."""
    is_shelf = job.version.parent.name == "versions"
    found = certification_job.certify_version(
        job.version, job.csv, copies=[job.version.parent.parent] if is_shelf else []
    )
    job.output.mkdir(parents=True, exist_ok=True)
    atomic_write.write_json(job.output / metrics_as_text.CERTIFICATE, found)
    return found
