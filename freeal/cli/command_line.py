"""`python -m freeal`: the method on one CSV, without folders and without the service.

python -m freeal train --input-csv reviews.csv --output-model model/ --labels positive negative --description "..."
python -m freeal predict --model-dir model/ --input-csv new.csv --output-csv labelled.csv
python -m freeal correct --model-dir model/ --corrections-csv review_queue.csv
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from freeal.cli import correct_command, cost_commands
from freeal.cli.training_progress import EXIT_BUDGET, EXIT_CONFIG, EXIT_FAILED, EXIT_OK, Reporter, print_figures
from freeal.errors import ConfigError, FreealError, Problem, SpecError, Where
from freeal.results.metrics_summary import read_metrics
from freeal.text.printable_text import visible


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code (CONTRACT.md 4)."""
    arguments = _parser().parse_args(argv)
    try:
        code: int = arguments.run(arguments)
        return code
    except ConfigError as error:
        print(visible(f"freeal: {error}"), file=sys.stderr)
        return EXIT_CONFIG
    except FreealError as error:
        print(visible(f"freeal: {error}"), file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        print("freeal: stopped; the same command goes on where it was", file=sys.stderr)
        return EXIT_FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="freeal", description="Label texts with a language model and train a small classifier."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    train = commands.add_parser("train", help="annotate a CSV and train a student on it")
    train.set_defaults(run=_train)
    train.add_argument("--input-csv", type=Path, required=True, metavar="FILE")
    train.add_argument(
        "--output-model",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="the classifier; other results beside it in FOLDER-results",
    )
    train.add_argument("--labels", nargs="+", metavar="LABEL", help="default: the values of --label-column")
    train.add_argument(
        "--label-column", metavar="NAME", help="ground truth, to evaluate only: never sent, never trained on"
    )
    train.add_argument(
        "--description", default="Choose the label that fits the text best.", help="the task, for the language model"
    )
    train.add_argument("--examples", type=Path, metavar="FILE", help="JSON list of [text, label] pairs")
    train.add_argument("--text-columns", nargs="+", metavar="NAME", help="default: every column but --label-column")
    train.add_argument(
        "--model-name", default="auto", metavar="MODEL", help="the student: auto, minilm, a Hugging Face id or a folder"
    )
    train.add_argument("--iterations", type=int, default=3, metavar="N", help="rounds at most (default 3)")
    train.add_argument("--output-csv", type=Path, metavar="FILE", help="the labelled rows")
    train.add_argument(
        "--api-key", metavar="KEY", help="Anthropic; better in ANTHROPIC_API_KEY: others see command lines"
    )
    train.add_argument("--llm-model", metavar="MODEL", help="the annotating model; default: the provider's")
    train.add_argument("--llm-provider", default="auto", choices=["auto", "anthropic", "openai", "local"])
    train.add_argument("--llm-url", metavar="URL", help="another address of the provider")
    train.add_argument("--budget-usd", type=float, metavar="USD", help="hard cap")
    train.add_argument("--seed", type=int, default=0)

    predict = commands.add_parser("predict", help="label a CSV with a trained student")
    predict.set_defaults(run=_predict)
    predict.add_argument("--model-dir", type=Path, required=True, metavar="FOLDER")
    predict.add_argument("--input-csv", type=Path, required=True, metavar="FILE")
    predict.add_argument("--output-csv", type=Path, required=True, metavar="FILE")
    predict.add_argument("--text-columns", nargs="+", metavar="NAME", help="default: those it was trained on")
    predict.add_argument("--batch-size", type=int, default=64, metavar="N")

    show = commands.add_parser("show", help="how good a finished model is and what it cost")
    show.set_defaults(run=_show)
    show.add_argument("folder", type=Path, help="models/NAME, or a FOLDER-results of train")
    correct_command.add_parser(commands)
    cost_commands.add_parsers(commands)
    return parser


def _show(arguments: argparse.Namespace) -> int:
    print_figures(read_metrics(arguments.folder))
    return EXIT_OK


def _train(arguments: argparse.Namespace) -> int:
    import shutil

    import anyio

    from freeal.job.training_job import TrainingJob, train
    from freeal.llm.store.answer_store import SqliteStore

    results = arguments.output_model.with_name(arguments.output_model.name + "-results")
    answers = cost_commands.answers_path()
    spec = _spec(arguments)
    job = TrainingJob(
        job_id=f"{spec.name}-{spec.digest()[:12]}",
        csv=arguments.input_csv,
        spec=spec,
        output=results,
        work=results / ".work",
        answers=answers,
        cache=answers.parent,
        key_folder=Path.cwd(),
        llm={"base_url": arguments.llm_url} if arguments.llm_url else {},
    )
    outcome = anyio.run(lambda: train(job, emit=Reporter(), api_key=arguments.api_key))
    shutil.copytree(results / "model", arguments.output_model, dirs_exist_ok=True)
    if arguments.output_csv:
        shutil.copyfile(results / "annotated.csv", arguments.output_csv)
    shutil.rmtree(job.work)
    with contextlib.closing(SqliteStore(job.answers, job=job.job_id)) as store:
        store.forget_bill()  # the same command again is another job
    print_figures(outcome.metrics)
    print(f"\nmodel         {arguments.output_model}")
    print(f"labelled rows {arguments.output_csv or results / 'annotated.csv'}")
    print(f"all results   {results}")
    return EXIT_BUDGET if outcome.budget_reached else EXIT_OK


def _spec(arguments: argparse.Namespace) -> Any:
    """The command line as a spec; its errors read like those of a YAML file."""
    from pydantic import ValidationError

    from freeal.spec import yaml_reader
    from freeal.spec.job_spec import Spec

    name = "".join(c if (c.isalnum() and c.isascii()) or c in "._-" else "-" for c in arguments.input_csv.stem)[:64]
    content = {
        "name": name.lstrip("._-") or "model",
        "description": arguments.description,
        "labels": arguments.labels or _labels_of(arguments),
        "label_column": arguments.label_column,
        "text_columns": arguments.text_columns,
        "examples": _examples(arguments.examples),
        "iterations": arguments.iterations,
        "budget_usd": arguments.budget_usd,
        "llm": {"provider": arguments.llm_provider, "model": arguments.llm_model},
        "student": {"model": arguments.model_name, "seed": arguments.seed},
    }
    try:
        return Spec.model_validate(content)
    except ValidationError as cause:
        found = [
            Problem(
                str(one["msg"]).removeprefix("Value error, "),
                Where(key="--" + yaml_reader.dotted(one["loc"]).replace("_", "-")),
            )
            for one in cause.errors(include_url=False)
        ]
        raise SpecError.of(found) from cause


def _labels_of(arguments: argparse.Namespace) -> list[str]:
    from freeal.table import read_table

    if arguments.label_column is None:
        raise SpecError("is required", where=Where(key="--labels"), hint="or name a --label-column to take them from")
    table = read_table(arguments.input_csv)
    position = table.column(arguments.label_column, role="--label-column")
    return sorted({row[position].strip() for row in table.rows} - {""})


def _examples(path: Path | None) -> Any:
    if path is None:
        return ()
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as cause:
        raise SpecError(f"cannot be read: {cause.strerror}", where=Where(file=path)) from cause
    except ValueError as cause:
        raise SpecError(f"is not valid JSON: {cause}", where=Where(file=path)) from cause


def _predict(arguments: argparse.Namespace) -> int:
    from freeal.prediction.predict_csv import PredictionJob, predict_csv
    from freeal.prediction.progress_bar import shown

    job = PredictionJob(
        model=arguments.model_dir,
        input_csv=arguments.input_csv,
        output_csv=arguments.output_csv,
        text_columns=tuple(arguments.text_columns) if arguments.text_columns else None,
        settings={"batch_size": arguments.batch_size},
    )
    with shown(sys.stderr) as emit:
        summary = predict_csv(job, emit=emit)
    for warning in summary["drift"]["warnings"]:
        print(f"note: {warning}", file=sys.stderr)
    writer = csv.writer(sys.stdout, delimiter="\t", lineterminator="\n")
    writer.writerows([["rows", summary["rows"]], *summary["label_counts"].items()])
    return EXIT_OK
