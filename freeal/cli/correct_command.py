"""`python -m freeal correct`: a new model from a finished one and the labels that a person corrected.

python -m freeal correct --model-dir models/reviews --corrections-csv review_queue.csv --output-model better/
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from freeal.cli.print_results import add_json
from freeal.cli.result_places import ResultPlaces
from freeal.cli.training_progress import EXIT_BUDGET, EXIT_OK, shown_training_progress
from freeal.job import work_folder
from freeal.results.find_version import find_version


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command, with `run`."""
    correct = commands.add_parser(
        "correct",
        help="train a finished model anew with labels that a person corrected",
        description="A new version of a finished model from a table with a column freeal_corrected. No language model "
        "is asked, unless --ask-again says so.",
    )
    correct.set_defaults(run=_correct)
    correct.add_argument(
        "--model-dir",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="models/NAME, one of its versions, or what train wrote: FOLDER or FOLDER-results",
    )
    correct.add_argument(
        "--corrections-csv",
        type=Path,
        required=True,
        metavar="FILE",
        help="a table with the model's text columns and a column freeal_corrected: an edited review_queue.csv",
    )
    correct.add_argument(
        "--output-model",
        type=Path,
        metavar="FOLDER",
        help="the new classifier; other results beside it in FOLDER-results; default: NAME-corrected, here",
    )
    correct.add_argument(
        "--ask-again",
        action="store_true",
        help="let the language model answer again where its answers are doubtful; default: ask nothing",
    )
    correct.add_argument("--llm-url", metavar="URL", help="another address of the provider, to ask again")
    correct.add_argument(
        "--api-key",
        metavar="KEY",
        help="Anthropic, to ask again; better in ANTHROPIC_API_KEY: others see command lines",
    )
    add_json(correct, "metrics.json and where the files are")


def _correct(arguments: argparse.Namespace) -> int:
    import anyio

    from freeal.job.new_version.correction_job import CorrectionJob, correct
    from freeal.results.metrics_as_text import read_metrics

    version = find_version(arguments.model_dir)
    name = read_metrics(version)["name"]
    places = ResultPlaces.of(arguments.output_model or Path(f"{name}-corrected"), key="--output-model")
    results = places.results
    answers = work_folder.answers_path()
    job = CorrectionJob(
        job_id=work_folder.job_id(f"{name}-corrections", results),
        billed_to=str(results),
        version=version,
        csv=arguments.corrections_csv,
        output=results,
        work=results / work_folder.FOLDER_NAME,
        answers=answers,
        cache=answers.parent,
        key_folder=Path.cwd(),
        llm={"base_url": arguments.llm_url} if arguments.llm_url else {},
        loop={"ask_after_corrections": arguments.ask_again},
    )
    with places.held():
        with shown_training_progress(sys.stderr) as emit:
            outcome = anyio.run(lambda: correct(job, emit=emit, api_key=arguments.api_key))
        places.deliver_results()
        work_folder.close_work_folder(job)
    places.tell_places(outcome.metrics, as_json=arguments.json)
    return EXIT_BUDGET if outcome.budget_reached else EXIT_OK
