"""From a job's table to the pool it begins with: near duplicates found, shares kept out, given labels divided, and what
there is to say about each of these told."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from freeal.events import Emit, Notice, Progress
from freeal.job.new_version import certification_job
from freeal.pool import holdout, near_duplicates, teach_evaluate_split
from freeal.pool.text_pool import Pool
from freeal.preflight import preflight_check
from freeal.preflight.preflight_check import Checked
from freeal.settings import LoopSettings
from freeal.spec.job_spec import Spec


def read_job_table(csv: Path, spec: Spec, *, emit: Emit) -> Checked:
    """The table of a job, held against its spec; what there is to say about it is told. Raises `InputError`."""
    emit(Progress("reading", 0, 0, 1, "files"))
    checked = preflight_check.read(csv, spec)
    for warning in (*checked.table.dialect.notices, *checked.warnings):
        emit(Notice(warning))
    emit(Progress("reading", 0, 1, 1, "files"))
    return checked


def divide_pool(pool: Pool, settings: LoopSettings, *, seed: int, previous: Path | None, emit: Emit) -> Pool:
    """The pool with its near duplicates found and its share that is never shown drawn, where that is wanted, and with
    what was drawn to certify the version of the student `previous`: that is never shown either."""
    pool = group_near_duplicates(pool, settings, emit=emit)
    held_out = holdout.drawn_holdout(len(pool), share=settings.holdout_share, seed=seed, groups=pool.groups)
    return certification_job.keep_drawn_rows_out(dataclasses.replace(pool, held_out=held_out), previous)


def group_near_duplicates(pool: Pool, settings: LoopSettings, *, emit: Emit) -> Pool:
    """The pool of a job with its near duplicates found, where its settings want that; how many there are is told."""
    if settings.near_duplicates != "group":
        return pool
    groups = near_duplicates.near_duplicate_groups(pool.texts)
    alike = sum(leader != index for index, leader in enumerate(groups))
    emit(Notice(f"near duplicates: {alike:,} of {len(pool):,} distinct texts are nearly the same as another one"))
    return dataclasses.replace(pool, groups=groups)


def taught_labels_of_pool(pool: Pool, spec: Spec, *, seed: int, emit: Emit) -> tuple[Pool, dict[int, str]]:
    """The pool of a job, its truth what may be measured with, and the labels that its table teaches, by pool index; how
    many there are of both is told."""
    pool, found = teach_evaluate_split.teach_evaluate_split(pool, spec.label_use, seed=seed)
    if found:
        measured = sum(label is not None for label in pool.truth or ())
        figure = f"{measured:,} rows measure" if measured else "none is left to measure with, so no accuracy is shown"
        teach = f"{len(found):,} texts teach their label in {spec.label_column or 'label_columns'!r}"
        emit(Notice(f"label_use {spec.label_use}: {teach}; {figure}"))
    return pool, found
