"""`python -m freeal predict`: a table labelled by a finished student.

python -m freeal predict --model-dir sentiment_model --input-csv new_reviews.csv --output-csv predictions.csv
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freeal.cli.name_lists import listed_names
from freeal.cli.print_results import add_json, print_json, print_pairs
from freeal.cli.training_progress import EXIT_OK
from freeal.settings import PredictSettings, RaySettings
from freeal.table.output_format import rows_in_form

if TYPE_CHECKING:
    from freeal.prediction.predict_csv import Classifier, PredictionJob
    from freeal.prediction.prediction_job import AskBelowPromise
    from freeal.prediction.second_opinion import SecondOpinion


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command, with `run`."""
    predict = commands.add_parser(
        "predict",
        help="label a CSV with a trained student",
        description="One prediction run: rows of any number labelled by the student alone. No language model, no "
        "network, no cost, unless --ask-below-promise-usd allows it.",
    )
    predict.set_defaults(run=_predict)
    predict.add_argument("--model-dir", type=Path, required=True, metavar="FOLDER", help="any folder that show takes")
    predict.add_argument("--input-csv", type=Path, required=True, metavar="FILE", help="rows to label")
    predict.add_argument(
        "--output-csv",
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help="the rows, labelled; a name in .xlsx makes it a workbook, one in .parquet Parquet; - is standard output",
    )
    predict.add_argument(
        "--text-columns", nargs="+", metavar="NAMES", help="commas between them; default: those it was trained on"
    )
    default = PredictSettings().batch_size
    predict.add_argument(
        "--batch-size", type=_positive, default=default, metavar="N", help=f"texts at a time (default {default})"
    )
    predict.add_argument(
        "--engine",
        choices=["auto", "local", "ray"],
        default="auto",
        help="ray = in shards over a Ray cluster; default: auto, by --ray-address and size",
    )
    predict.add_argument("--ray-address", metavar="HEAD:PORT", help="a cluster this machine is part of, or auto")
    predict.add_argument(
        "--ask-below-promise-usd",
        type=float,
        metavar="USD",
        help="rows that the model's promise leaves without a label are asked of the language model, for so much at "
        "most; 0 = only of one that costs nothing; default: none is asked",
    )
    predict.add_argument("--llm-url", metavar="URL", help="another address of its provider")
    predict.add_argument(
        "--api-key", metavar="KEY", help="Anthropic; better in ANTHROPIC_API_KEY: others see command lines"
    )
    predict.add_argument("--dry-run", action="store_true", help="say what would be done; label and write nothing")
    predict.add_argument(
        "--resume",
        action=argparse.BooleanOptionalAction,
        help="what was cut off goes on after its last rows, asked for or not; --no-resume begins anew",
    )
    add_json(predict, "the counts")


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of texts: 1 or more is expected")
    return int(text)


def _predict(arguments: argparse.Namespace) -> int:
    from freeal.cli.prediction_progress import shown_prediction_progress
    from freeal.files.output_file import output_file
    from freeal.prediction.predict_csv import Classifier, PredictionJob, predict_csv
    from freeal.prediction.run_by_engine import open_run

    output = output_file(arguments.output_csv, key="--output-csv", inputs=[arguments.input_csv])
    job = PredictionJob(
        model=arguments.model_dir,
        input_csv=arguments.input_csv,
        output_csv=arguments.output_csv,
        text_columns=tuple(listed_names(arguments.text_columns)) if arguments.text_columns else None,
        settings=PredictSettings(batch_size=arguments.batch_size, engine=arguments.engine),
        ray=RaySettings(address=arguments.ray_address),
        ask=_ask_below_promise(arguments),
    )
    classifier = Classifier.load(job.model, job.settings)
    if arguments.dry_run:
        return _prediction_dry_run(job, classifier, as_json=arguments.json)
    with output.whole() as path, rows_in_form(path, name=arguments.output_csv.name) as rows:
        job = job.model_copy(update={"output_csv": rows})
        ask = _second_opinion(job, classifier, arguments)
        if arguments.resume is False:
            with open_run(job, classifier, ask=ask) as run:
                run.discard()
        with shown_prediction_progress(sys.stderr) as emit:
            summary = predict_csv(job, emit=emit, classifier=classifier, ask=ask)
    _forget_prediction_bill(job)
    for warning in summary["drift"]["warnings"]:
        print(f"note: {warning}", file=sys.stderr)
    with contextlib.redirect_stdout(sys.stderr if output.is_standard_output else sys.stdout):
        if arguments.json:
            print_json(summary | {"output_csv": str(arguments.output_csv)})
        else:
            counts: dict[str, int] = summary["label_counts"]
            print_pairs([(what, str(number)) for what, number in {"rows": summary["rows"], **counts}.items()])
            if "asked_of" in summary:
                told = f"{summary.get('asked', 0):,} rows got its label, for {summary['asked_usd']:.4f} USD"
                print_pairs(
                    [(f"asked {summary['asked_of']}", told), ("left without", str(summary.get("below_promise", 0)))]
                )
    return EXIT_OK


def _ask_below_promise(arguments: argparse.Namespace) -> AskBelowPromise | None:
    """Whose bill it is stays the same when a run that was cut off is gone on with."""
    from freeal.job import work_folder
    from freeal.prediction.prediction_job import AskBelowPromise

    if arguments.ask_below_promise_usd is None:
        return None
    places = (arguments.model_dir, arguments.input_csv, arguments.output_csv)
    run = hashlib.sha256("\n".join(str(place.resolve()) for place in places).encode(errors="replace")).hexdigest()
    answers = work_folder.answers_path()
    return AskBelowPromise(
        payer=f"predict-{run[:16]}",
        answers=answers,
        cache=answers.parent,
        key_folder=Path.cwd(),
        llm={"base_url": arguments.llm_url, "budget_usd": arguments.ask_below_promise_usd},
    )


def _second_opinion(job: PredictionJob, classifier: Classifier, arguments: argparse.Namespace) -> SecondOpinion | None:
    from freeal.events import Event, Notice
    from freeal.job.ask_below_promise import BelowPromise

    def tell(event: Event) -> None:
        if isinstance(event, Notice):
            print(f"note: {event.message}", file=sys.stderr)

    if job.ask is None:
        return None
    ask = BelowPromise.of(job.ask, classifier, job.model, emit=tell, api_key=arguments.api_key)
    if ask is None:
        print("note: the model promises nothing: no row is asked of a language model", file=sys.stderr)
    return ask


def _forget_prediction_bill(job: PredictionJob) -> None:
    """At the end of the command `predict`: the same table again is another prediction, with a cap of its own."""
    from freeal.llm.store.answer_store import SqliteStore

    if job.ask is not None and job.ask.answers.exists():
        with contextlib.closing(SqliteStore(job.ask.answers, job=job.ask.payer)) as store:
            store.forget_bill()


def _prediction_dry_run(job: PredictionJob, classifier: Classifier, *, as_json: bool) -> int:
    """What would be labelled. Reads the whole table, so that whatever is wrong with it is said now."""
    from freeal.table import RowReader, find_column

    columns = job.text_columns or classifier.text_columns or ()
    with RowReader(job.input_csv, job.csv) as reader:
        for column in columns:
            find_column(reader.header, column, role="text_columns", path=job.input_csv)
        rows = sum(1 for _ in reader)
    plan: dict[str, Any] = {
        "rows": rows,
        "text_columns": list(columns),
        "labels": list(classifier.student.labels),
        "model": classifier.extra.get("name"),
        "model_version": classifier.extra.get("job"),
        "output_csv": str(job.output_csv),
        "output_exists": job.output_csv.exists(),
        "most_usd": 0.0 if job.ask is None else job.ask.llm.budget_usd,
    }
    if as_json:
        print_json(plan)
        return EXIT_OK
    print_pairs(
        [
            ("rows", f"{rows:,}"),
            ("text columns", ", ".join(columns)),
            ("labels", ", ".join(plan["labels"])),
            ("model", f"{plan['model']}, version {plan['model_version']}"),
            ("output", f"{job.output_csv}{', which is there and would be replaced' if plan['output_exists'] else ''}"),
            ("cost", _cost(job)),
        ]
    )
    return EXIT_OK


def _cost(job: PredictionJob) -> str:
    if job.ask is None:
        return "nothing: no language model is asked"
    return f"{job.ask.llm.budget_usd:.2f} USD at most, for rows below the model's promise"
