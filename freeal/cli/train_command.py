"""`python -m freeal train`: the method on one CSV, without folders and without the service.

python -m freeal train --input-csv reviews.csv --output-model sentiment_model --labels positive,negative \\
    --description "Classify the sentiment of product reviews." --examples examples.json --output-csv annotated.csv
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from freeal.cli import pilot_run
from freeal.cli.name_lists import listed_names
from freeal.cli.print_results import add_json, print_estimate
from freeal.cli.result_places import ResultPlaces
from freeal.cli.training_progress import EXIT_BUDGET, EXIT_OK, shown_training_progress
from freeal.errors import ConfigError, SpecError, Where
from freeal.job import work_folder
from freeal.settings import LoopSettings, Provider
from freeal.types import LabelUse

if TYPE_CHECKING:
    from freeal.job.training_job import TrainingJob
    from freeal.spec.job_spec import Spec

_FLAGS = {
    "name": "--input-csv",
    "llm.provider": "--provider",
    "llm.model": "--llm-model",
    "student.model": "--model-name",
    "student.seed": "--seed",
}
"""Where a key of the spec has a flag of another name."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command, with `run`."""
    train = commands.add_parser(
        "train",
        help="annotate a CSV and train a student on it",
        description="One training run, without folders to drop into. A bar on a terminal, lines elsewhere tell how far "
        "it is; both go to stderr, so that stdout holds the figures alone.",
    )
    train.set_defaults(run=_train)
    _add_task_options(train)
    _add_model_options(train)
    rounds = LoopSettings().iterations
    train.add_argument("--iterations", type=int, default=rounds, metavar="N", help=f"rounds at most (default {rounds})")
    train.add_argument("--seed", type=int, default=0, metavar="N", help="everything random derives from it (default 0)")
    pilot_run.add_pilot_options(train)
    train.add_argument("--dry-run", action="store_true", help="what it would ask, cost and take; asks nobody")
    train.add_argument(
        "--resume",
        action=argparse.BooleanOptionalAction,
        help="a run that was cut off goes on after its last round, asked for or not; --no-resume begins anew, with the "
        "answers that are paid for",
    )
    add_json(train, "metrics.json and where the files are, or the estimate of --dry-run")


def _add_task_options(train: argparse.ArgumentParser) -> None:
    train.add_argument(
        "--input-csv",
        type=Path,
        required=True,
        metavar="FILE",
        help="the table with the texts, in any readable form",
    )
    train.add_argument(
        "--output-model",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="the classifier; other results beside it in FOLDER-results. Both must be new, empty, or of an earlier run",
    )
    train.add_argument(
        "--output-csv",
        type=Path,
        metavar="FILE",
        help="the labelled rows; a name in .xlsx makes it a workbook, - is standard output",
    )
    train.add_argument(
        "--labels",
        nargs="+",
        metavar="LABELS",
        help='commas between them, a name that holds one in "quotes"; or an argument each; default: the values of '
        "--label-column",
    )
    train.add_argument("--label-column", metavar="NAME", help="true labels, to measure with")
    train.add_argument(
        "--label-use",
        default="evaluate",
        choices=get_args(LabelUse),
        help="evaluate = true labels are never sent and never trained on; teach = they are demonstrations and learned "
        "from; split = half of each label's teach, the others measure (default evaluate)",
    )
    train.add_argument(
        "--description", default="Choose the label that fits the text best.", help="the task, for the language model"
    )
    train.add_argument(
        "--examples", type=Path, metavar="FILE", help='JSON: a list of ["text", "label"] or {"text": ..., "label": ...}'
    )
    train.add_argument(
        "--text-columns",
        nargs="+",
        metavar="NAMES",
        help="like --labels; default: every column but --label-column",
    )


def _add_model_options(train: argparse.ArgumentParser) -> None:
    train.add_argument(
        "--model-name",
        default="auto",
        metavar="MODEL",
        help="the student: auto, minilm, tfidf, a Hugging Face id or a folder; several with commas, or compare: the "
        "one that foretells the first labels best",
    )
    train.add_argument(
        "--provider",
        "--llm-provider",
        default="auto",
        choices=get_args(Provider),
        help="who annotates: auto = anthropic where a key is found, else local (default auto)",
    )
    train.add_argument("--llm-model", metavar="MODEL", help="the annotating model; default: the provider's")
    train.add_argument("--llm-url", metavar="URL", help="another address of the provider")
    train.add_argument(
        "--api-key", metavar="KEY", help="Anthropic; better in ANTHROPIC_API_KEY: others see command lines"
    )
    train.add_argument("--budget-usd", type=float, metavar="USD", help="hard cap")
    train.add_argument(
        "--llm-engine",
        choices=["auto", "local", "ray"],
        default="auto",
        help="ray = a local language model over a Ray cluster; default: auto, by --ray-address and size",
    )
    train.add_argument(
        "--student-engine",
        choices=["auto", "local", "ray"],
        default="auto",
        help="ray = fine-tuning over a Ray cluster; default: auto, by --ray-address and size",
    )
    train.add_argument("--ray-address", metavar="HEAD:PORT", help="a cluster this machine is part of, or auto")


def _train(arguments: argparse.Namespace) -> int:
    import anyio

    from freeal.job.run_training_job import train

    if arguments.go and arguments.pilot is not None:
        raise ConfigError("goes on with a pilot that is over", where=Where(key="--go"), hint="leave out --pilot")
    places = ResultPlaces.of(arguments.output_model, output_csv=arguments.output_csv, inputs=[arguments.input_csv])
    job = _training_job(arguments, places.results)
    _say_what_is_not_read(job, arguments)
    if arguments.dry_run:
        return _train_dry_run(job, arguments)
    if arguments.pilot is not None:
        if not pilot_run.is_whole_table(job, arguments.pilot):
            return pilot_run.run_pilot(job, arguments)
        print("note: the table has no more rows than its pilot; all of it is done", file=sys.stderr)
    if arguments.go:
        job = pilot_run.with_pilot(job, arguments.output_model)
    with places.held():
        _go_on_or_begin_training(job.work, resume=arguments.resume)
        with shown_training_progress(sys.stderr) as emit:
            outcome = anyio.run(lambda: train(job, emit=emit, api_key=arguments.api_key))
        places.deliver_results()
        work_folder.close_work_folder(job)
    if arguments.go:
        pilot_run.forget(arguments.output_model)
    places.tell_places(outcome.metrics, as_json=arguments.json)
    return EXIT_BUDGET if outcome.budget_reached else EXIT_OK


def _training_job(arguments: argparse.Namespace, results: Path) -> TrainingJob:
    from freeal.job.training_job import TrainingJob

    answers = work_folder.answers_path()
    spec = _spec_of_arguments(arguments)
    return TrainingJob(
        job_id=work_folder.job_id(f"{spec.name}-{spec.digest()[:12]}", results),
        billed_to=str(results),
        csv=arguments.input_csv,
        spec=spec,
        output=results,
        work=results / work_folder.FOLDER_NAME,
        answers=answers,
        cache=answers.parent,
        key_folder=Path.cwd(),
        llm={"engine": arguments.llm_engine} | ({"base_url": arguments.llm_url} if arguments.llm_url else {}),
        student={"engine": arguments.student_engine},
        ray={"address": arguments.ray_address},
    )


def _go_on_or_begin_training(work: Path, *, resume: bool | None) -> None:
    is_left = work.is_dir() and any(work.iterdir())
    if resume is False and is_left:
        shutil.rmtree(work)
    elif resume and not is_left:
        print("note: there is no run to go on with; this one begins anew", file=sys.stderr)


def _say_what_is_not_read(job: TrainingJob, arguments: argparse.Namespace) -> None:
    from freeal.llm.credentials import default_model_beside

    named = default_model_beside(job.key_folder)
    if named is not None and arguments.llm_model is None and arguments.provider in ("auto", "anthropic"):
        remark = f"api_key.py is read for its key alone, not for default_model = {named!r}; --llm-model names a model"
        print(f"note: {remark}", file=sys.stderr)


def _train_dry_run(job: TrainingJob, arguments: argparse.Namespace) -> int:
    """`train --dry-run`."""
    import anyio

    from freeal.cost_estimate.job_estimate import estimate_job_with
    from freeal.job.resolve_provider import resolve_providers

    settings = job.effective().llm
    providers = resolve_providers([settings], api_key=arguments.api_key, environ=os.environ, key_folder=job.key_folder)
    found = anyio.run(lambda: estimate_job_with(job, providers=providers))
    print_estimate(found, as_json=arguments.json)
    return EXIT_OK


def _spec_of_arguments(arguments: argparse.Namespace) -> Spec:
    """The command line as a spec; its errors read like those of a YAML file."""
    from pydantic import ValidationError

    from freeal.spec import examples_file, validation_messages
    from freeal.spec.job_spec import Spec
    from freeal.spec.model_name import plain_name
    from freeal.spec.student_list import one_or_several

    content = {
        "name": plain_name(arguments.input_csv.name),
        "description": arguments.description,
        "labels": listed_names(arguments.labels) if arguments.labels else _labels_of_arguments(arguments),
        "label_column": arguments.label_column,
        "label_use": arguments.label_use,
        "text_columns": listed_names(arguments.text_columns) if arguments.text_columns else None,
        "examples": examples_file.read_examples_file(arguments.examples, Where(key="--examples"))
        if arguments.examples
        else (),
        "iterations": arguments.iterations,
        "budget_usd": arguments.budget_usd,
        "pilot": arguments.pilot,
        "llm": {"provider": arguments.provider, "model": arguments.llm_model},
        "student": {"model": one_or_several(arguments.model_name), "seed": arguments.seed},
    }
    try:
        return Spec.model_validate(content)
    except ValidationError as cause:
        found = validation_messages.validation_problems(Spec, cause, where=lambda key: _flag(key, arguments))
        raise SpecError.of(found) from cause


def _flag(key_path: tuple[str | int, ...], arguments: argparse.Namespace) -> Where:
    if key_path[0] == "examples" and len(key_path) > 1:
        return Where(file=arguments.examples, key=f"entry {int(key_path[1]) + 1}")
    key = ".".join(part for part in key_path if isinstance(part, str))
    return Where(key=_FLAGS.get(key) or "--" + str(key_path[0]).replace("_", "-"))


def _labels_of_arguments(arguments: argparse.Namespace) -> list[str]:
    from freeal.table import read_table

    if arguments.label_column is None:
        raise SpecError("is required", where=Where(key="--labels"), hint="or name a --label-column to take them from")
    table = read_table(arguments.input_csv)
    position = table.column(arguments.label_column, role="--label-column")
    return sorted({row[position].strip() for row in table.rows} - {""})
