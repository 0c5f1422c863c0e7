"""`python -m freeal boundaries`: where a model's labels compete, and a new version from what a person says about that.

python -m freeal boundaries models/reviews                                   writes boundaries.yaml, to be answered
python -m freeal boundaries models/reviews --answers boundaries.yaml         what would change, and what it costs
python -m freeal boundaries models/reviews --answers boundaries.yaml --apply makes the new version
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freeal.cli.print_results import add_json, print_json
from freeal.cli.result_places import ResultPlaces
from freeal.cli.training_progress import EXIT_BUDGET, EXIT_OK, shown
from freeal.errors import ConfigError, Where
from freeal.job import work_folder
from freeal.results.find_version import version_in

if TYPE_CHECKING:
    from freeal.job.new_version.boundary_job import Quote


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command, with `run`."""
    parser = commands.add_parser(
        "boundaries",
        help="which labels compete most; answers to that make a new version",
        description="Writes a question about each pair of labels that compete most; reads your answers, shows what "
        "they would change and cost, and with --apply makes a new version from them.",
    )
    parser.set_defaults(run=_boundaries)
    parser.add_argument(
        "folder", type=Path, help="models/NAME, one of its versions, or what train wrote: FOLDER or FOLDER-results"
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="default: boundaries.yaml in the version's folder")
    parser.add_argument("--answers", type=Path, metavar="FILE", help="the file, answered: show what it would change")
    parser.add_argument("--apply", action="store_true", help="with --answers: ask what can change again, train anew")
    parser.add_argument(
        "--output-model", type=Path, metavar="FOLDER", help="of --apply; default: NAME-boundaries, here"
    )
    parser.add_argument("--llm-url", metavar="URL", help="another address of the provider")
    parser.add_argument(
        "--api-key", metavar="KEY", help="Anthropic; better in ANTHROPIC_API_KEY: others see command lines"
    )
    add_json(parser, "pairs, or what changes and costs, or what moved")


def _boundaries(arguments: argparse.Namespace) -> int:
    from freeal.job.new_version import boundary_job

    version = version_in(arguments.folder)
    if arguments.answers is None:
        if arguments.apply:
            raise ConfigError("needs --answers", where=Where(key="--apply"))
        return _ask(version, arguments)
    quote = boundary_job.quote(version, arguments.answers)
    if not arguments.apply:
        _print(_quoted(quote), arguments, words=lambda: _say_quote(quote, arguments))
        return EXIT_OK
    return _apply(version, quote, arguments)


def _ask(version: Path, arguments: argparse.Namespace) -> int:
    from freeal.job.new_version import boundary_job

    path, questions, pairs = boundary_job.ask(version, output=arguments.output)
    found = {"file": str(path), "pairs": [pair.model_dump(mode="json", by_alias=True) for pair in questions.pairs]}

    def words() -> None:
        for one, pair in zip(pairs, questions.pairs, strict=True):
            known = "" if one.confused is None else f", {one.confused} rows confused"
            print(f"\n{' / '.join(one.labels)}: {one.share:.0%} of the doubt, {one.disagreed} disagreements{known}")
            print(f"  {pair.question}")
            for text in pair.texts:
                print(f"  row {text.row} ({text.given}): {text.text}")
        print(f"\nanswer in {path}\nthen: python -m freeal boundaries {arguments.folder} --answers {path}")

    _print(found, arguments, words=words)
    return EXIT_OK


def _quoted(quote: Quote) -> dict[str, Any]:
    return {
        "labels": {
            label: {"before": quote.meanings.before[label], "after": quote.meanings.after[label]}
            for label in quote.meanings.changed
        },
        "texts": quote.texts,
        "rows": quote.rows,
        "of_texts": quote.of,
        "usd": quote.usd,
    }


def _say_quote(quote: Quote, arguments: argparse.Namespace) -> None:
    cost = "at an unknown price" if quote.usd is None else f"for about {quote.usd:.4f} USD"
    print(quote.meanings.diff())
    print(f"\n{quote.texts:,} of {quote.of:,} texts can change ({quote.rows:,} rows); they would be asked again {cost}")
    print(f"do it: python -m freeal boundaries {arguments.folder} --answers {arguments.answers} --apply")


def _apply(version: Path, quote: Quote, arguments: argparse.Namespace) -> int:
    import anyio

    from freeal.job.new_version import boundary_job
    from freeal.results.metrics_as_text import read_metrics

    name = read_metrics(version)["name"]
    places = ResultPlaces.of(arguments.output_model or Path(f"{name}-boundaries"), key="--output-model")
    answers = work_folder.answers_path()
    job = boundary_job.BoundaryJob(
        job_id=f"{name}-boundaries",
        version=version,
        csv=arguments.answers,
        output=places.results,
        work=places.results / work_folder.FOLDER_NAME,
        answers=answers,
        cache=answers.parent,
        key_folder=Path.cwd(),
        llm={"base_url": arguments.llm_url} if arguments.llm_url else {},
    )
    with places.held():
        with shown(sys.stderr) as emit:
            outcome = anyio.run(lambda: boundary_job.apply(job, emit=emit, api_key=arguments.api_key))
        places.deliver()
        work_folder.close(job)
    moved, cost = boundary_job.moved(outcome.metrics), outcome.metrics["cost"]
    files = {"model": str(places.model), "all_results": str(places.results)}
    found = _quoted(quote) | {"moved": moved, "paid_usd": cost["usd"], "calls": cost["calls"]} | files

    def words() -> None:
        print(quote.meanings.diff())
        print(f"\n{quote.texts:,} texts were asked again for {cost['usd']:.4f} USD")
        print(f"{moved['rows']:,} rows have another label now")
        for label, one in moved["labels"].items():
            print(f"  {label:<42} +{one['gained']} -{one['lost']}")
        print(f"\nmodel         {places.model}\nall results   {places.results}")

    _print(found, arguments, words=words)
    return EXIT_BUDGET if outcome.budget_reached else EXIT_OK


def _print(found: dict[str, Any], arguments: argparse.Namespace, *, words: Callable[[], None]) -> None:
    if arguments.json:
        print_json(found)
    else:
        words()
