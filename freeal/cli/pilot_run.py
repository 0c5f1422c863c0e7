"""`train --pilot N` and `train --go`: the first rows of a table end to end, then, after a look at them, the rest."""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from freeal.cli.print_results import print_json, print_pairs
from freeal.cli.training_progress import EXIT_BUDGET, EXIT_OK, shown_training_progress
from freeal.errors import ConfigError, Where
from freeal.files import output_folder
from freeal.job import work_folder
from freeal.results import pilot_json_file

if TYPE_CHECKING:
    from freeal.job.training_job import TrainingJob

SUFFIX = "-pilot"


def add_pilot_options(train: argparse.ArgumentParser) -> None:
    """`--pilot` and `--go`."""
    train.add_argument(
        "--pilot",
        type=int,
        metavar="N",
        help="the first N rows alone, at least 20, end to end: labels, report and what the rest will cost, in "
        "FOLDER-pilot; then the same command with --go in place of it",
    )
    train.add_argument(
        "--go", action="store_true", help="the rest, after a look at the pilot: what it paid for is kept"
    )


def folder_of(model: Path) -> Path:
    """Where the pilot of the classifier `model` lies."""
    return model.with_name(model.name + SUFFIX)


def with_pilot(job: TrainingJob, model: Path) -> TrainingJob:
    """`--go`: the job that keeps the answers of its pilot. Raises `ConfigError` where there is none of it."""
    from freeal.results.run_json_file import read_spec_of_version
    from freeal.spec.job_spec import Spec

    folder, where = folder_of(model), Where(key="--go")
    if not (folder / pilot_json_file.FILE_NAME).is_file():
        raise ConfigError(f"there is no pilot in {folder}", where=where, hint="run it first, with --pilot 200")
    if pilot_json_file.read_pilot_json(folder)["job"] != job.job_id:
        before = read_spec_of_version(folder)
        fields = sorted(Spec.model_fields.keys() - {"pilot"})
        other = ", ".join(name for name in fields if getattr(job.spec, name) != getattr(before, name))
        hint = "name the same, or begin with --pilot again"
        raise ConfigError(f"the pilot in {folder} was of another job (other: {other})", where=where, hint=hint)
    return job.model_copy(update={"pilot": folder})


def is_whole_table(job: TrainingJob, rows: int) -> bool:
    """Whether the table has no more rows than its pilot would have. Raises `InputError`."""
    from freeal.table import RowReader

    with RowReader(job.csv, job.spec.csv) as reader:
        return sum(1 for _, _ in zip(range(rows + 1), reader, strict=False)) <= rows


def run_pilot(job: TrainingJob, arguments: argparse.Namespace) -> int:
    """The first rows. Their bill stays open: the rest is paid within the same cap."""
    import anyio

    from freeal.job.run_training_job import train

    model = Path(arguments.output_model)
    folder = output_folder.free_folder(folder_of(model), key="--output-model", ours=work_folder.OURS)
    job = job.model_copy(
        update={"output": folder, "work": folder / work_folder.FOLDER_NAME, "pilot_rows": arguments.pilot}
    )
    with output_folder.held_output_folder(folder):
        if arguments.resume is False:
            shutil.rmtree(job.work, ignore_errors=True)
        with shown_training_progress(sys.stderr) as emit:
            outcome = anyio.run(lambda: train(job, emit=emit, api_key=arguments.api_key))
        shutil.rmtree(job.work)
    _tell_of_pilot(folder, arguments)
    return EXIT_BUDGET if outcome.budget_reached else EXIT_OK


def _tell_of_pilot(folder: Path, arguments: argparse.Namespace) -> None:
    found = pilot_json_file.read_pilot_json(folder)
    if arguments.json:
        print_json(found | {"files": {"all_results": str(folder)}})
        return
    rest = found["rest"]
    pairs = [
        ("rows", f"{found['rows']:,}, of which {found['texts']:,} distinct"),
        ("paid", f"{found['usd']:.4f} USD for {found['calls']:,} calls, in {found['seconds']:.0f} seconds"),
        ("the rest", f"{rest['rows']:,} rows, {rest['usd'][0]:.4f} to {rest['usd'][1]:.4f} USD"),
        ("it takes", f"{rest['seconds'][0]:.0f} to {rest['seconds'][1]:.0f} seconds"),
        *(("labels", finding["message"]) for finding in found["findings"]),
        ("all results", str(folder)),
        ("then", "the same command with --go in place of --pilot"),
    ]
    print_pairs(pairs)


def forget(model: Path) -> None:
    """The rest is done: what its pilot left is part of it."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder_of(model))
