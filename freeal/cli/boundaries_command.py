"""`python -m freeal boundaries`: where a model's labels compete, and a new version from what a person says about that.

python -m freeal boundaries models/reviews                                   writes boundaries.yaml, to be answered
python -m freeal boundaries models/reviews --propose                         a language model proposes two answers each
python -m freeal boundaries models/reviews --pick 1=2 2=1                    takes proposals: of question 1 the second
python -m freeal boundaries models/reviews --answers boundaries.yaml         what would change, and what it costs
python -m freeal boundaries models/reviews --answers boundaries.yaml --apply makes the new version
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freeal.cli.print_results import add_json, print_json
from freeal.cli.result_places import ResultPlaces
from freeal.cli.training_progress import EXIT_BUDGET, EXIT_OK, shown_training_progress
from freeal.errors import ConfigError, Where
from freeal.job import work_folder
from freeal.results.find_version import find_version
from freeal.text.shell_command import freeal_command

if TYPE_CHECKING:
    from freeal.boundaries.boundaries_file import Boundaries
    from freeal.boundaries.competing_labels import Competition
    from freeal.job.new_version.boundary_job import Quote
    from freeal.job.new_version.proposal_job import Forecast, ProposalJob


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
    parser.add_argument(
        "--propose",
        action="store_true",
        help="ask the language model for two answers to each question; without it the most that can cost is told",
    )
    parser.add_argument(
        "--budget-usd", type=float, metavar="USD", help="hard cap of --propose; default: the most it was said to cost"
    )
    parser.add_argument(
        "--pick",
        nargs="+",
        type=_pick,
        metavar="QUESTION=PROPOSAL",
        help="take proposals, such as 1=2: of the first question the second; then as --answers",
    )
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


def _pick(text: str) -> tuple[int, int]:
    question, _, proposal = text.partition("=")
    if not (question.isdecimal() and proposal.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r}: QUESTION=PROPOSAL is expected, such as 1=2")
    return int(question), int(proposal)


def _boundaries(arguments: argparse.Namespace) -> int:
    from freeal.boundaries import boundaries_file
    from freeal.job.new_version import boundary_job

    version = find_version(arguments.folder)
    if arguments.pick is not None:
        path = arguments.answers or arguments.output or version / boundaries_file.FILE_NAME
        picked = boundaries_file.boundaries_with_picks(boundaries_file.read_questions(path), dict(arguments.pick))
        boundaries_file.write_boundaries(path, picked)
        arguments.answers = path
    if arguments.answers is None:
        if arguments.apply:
            raise ConfigError("needs --answers or --pick", where=Where(key="--apply"))
        return _ask_boundaries(version, arguments)
    quote = boundary_job.quote_boundary_answers(version, arguments.answers)
    if not arguments.apply:
        _print(_quote_as_json(quote), arguments, words=lambda: _say_quote(quote, arguments))
        return EXIT_OK
    return _apply_boundary_answers(version, quote, arguments)


def _ask_boundaries(version: Path, arguments: argparse.Namespace) -> int:
    """The questions; those that stand there already are kept where proposals are asked for them."""
    import anyio

    from freeal.boundaries import boundaries_file
    from freeal.boundaries.competing_labels import Competition
    from freeal.job.new_version import boundary_job, proposal_job
    from freeal.results.metrics_as_text import read_metrics

    warning = boundary_job.warning_of(read_metrics(version))
    path, competing = arguments.output or version / boundaries_file.FILE_NAME, list[Competition]()
    if arguments.propose and path.is_file():
        questions = boundaries_file.read_questions(path)
    else:
        path, questions, competing = boundary_job.write_boundary_questions(version, output=arguments.output)
    job = _proposal_job(version, path, arguments)
    foreseen = anyio.run(lambda: proposal_job.forecast_proposals(job, api_key=arguments.api_key))
    paid_usd = 0.0
    if arguments.propose:
        if all(pair.proposals for pair in questions.pairs):
            print("note: each question has its proposals", file=sys.stderr)
        elif foreseen.why_not:
            raise ConfigError(f"nothing can be proposed: {foreseen.why_not}", where=Where(key="--propose"))
        else:
            questions, paid_usd = _propose_rules(job, foreseen, arguments)
    found = {
        "file": str(path),
        "pairs": [pair.model_dump(mode="json", by_alias=True) for pair in questions.pairs],
        "proposed_by": questions.proposed_by,
        "paid_usd": paid_usd,
        "warning": warning or None,
        "to_propose": None if arguments.propose else dataclasses.asdict(foreseen),
    }

    def words() -> None:
        if warning:
            print(f"note: {warning}", file=sys.stderr)
        _say_questions(questions, competing)
        _say_next_step(questions, path, foreseen, arguments)

    _print(found, arguments, words=words)
    return EXIT_OK


def _proposal_job(version: Path, questions: Path, arguments: argparse.Namespace) -> ProposalJob:
    from freeal.job.new_version.proposal_job import ProposalJob

    answers = work_folder.answers_path()
    return ProposalJob(
        version=version,
        questions=questions,
        answers=answers,
        cache=answers.parent,
        key_folder=Path.cwd(),
        llm={"base_url": arguments.llm_url, "budget_usd": arguments.budget_usd},
    )


def _propose_rules(job: ProposalJob, foreseen: Forecast, arguments: argparse.Namespace) -> tuple[Boundaries, float]:
    """The questions with proposals, and what this run paid for them: at most what it was said to cost."""
    import anyio

    from freeal.job.new_version import proposal_job
    from freeal.llm.store.answer_store import SqliteStore

    if arguments.budget_usd is None:
        job = job.model_copy(update={"llm": job.llm.model_copy(update={"budget_usd": foreseen.cap_usd})})
    print(f"note: {_cost_of(foreseen)}", file=sys.stderr)
    with shown_training_progress(sys.stderr) as emit:
        questions, bill = anyio.run(lambda: proposal_job.propose_rules(job, emit=emit, api_key=arguments.api_key))
    with contextlib.closing(SqliteStore(job.answers, job=job.job_id)) as store:
        store.forget_bill()
    return questions, bill.usd


def _cost_of(foreseen: Forecast) -> str:
    if not foreseen.calls:
        return "the proposals are paid for already"
    most = "at a price that is not known" if foreseen.most_usd is None else f"for {foreseen.most_usd:.4f} USD at most"
    return f"{foreseen.by} is asked {foreseen.calls} question{'' if foreseen.calls == 1 else 's'}, {most}"


def _say_questions(questions: Boundaries, competing: Sequence[Competition]) -> None:
    for number, pair in enumerate(questions.pairs, start=1):
        about = [] if pair.share is None else [f"{pair.share:.0%} of the doubt"]
        for one in competing[number - 1 : number]:
            about.append(f"{one.disagreed} disagreements")
            about += [] if one.confused is None else [f"{one.confused} rows confused"]
        print(f"\n{number}. {' or '.join(pair.between)}: {', '.join(about)}\n  {pair.question}")
        for text in pair.texts:
            print(f"  row {text.row} ({text.given}): {text.text}")
        for place, proposal in enumerate(pair.proposals, start=1):
            said = "; ".join(
                f"{label} {word} {words}"
                for label, rule in proposal.items()
                for word, words in (("is", rule.is_), ("is not", rule.is_not))
                if words
            )
            print(f"  proposal {place}: {said}")


def _say_next_step(questions: Boundaries, path: Path, foreseen: Forecast, arguments: argparse.Namespace) -> None:
    here = ("boundaries", arguments.folder)
    print(f"\nanswer in {path}\nthen: {freeal_command(*here, '--answers', path)}")
    if any(pair.proposals for pair in questions.pairs):
        print(f"or take proposals of {questions.proposed_by}: {freeal_command(*here, '--pick', '1=1', '2=2')}")
    elif foreseen.why_not:
        print(f"no answers are proposed: {foreseen.why_not}")
    elif questions.pairs:
        print(f"two proposals for each: {freeal_command(*here, '--propose', *_at(arguments))} ({_cost_of(foreseen)})")


def _quote_as_json(quote: Quote) -> dict[str, Any]:
    return {
        "labels": {
            label: {"before": quote.meanings.before[label], "after": quote.meanings.after[label]}
            for label in quote.meanings.changed
        },
        "texts": quote.texts,
        "rows": quote.rows,
        "of_texts": quote.of,
        "usd": quote.usd,
        "warning": quote.warning or None,
    }


def _say_quote(quote: Quote, arguments: argparse.Namespace) -> None:
    if quote.warning:
        print(f"note: {quote.warning}", file=sys.stderr)
    cost = "at an unknown price" if quote.usd is None else f"for about {quote.usd:.4f} USD"
    print(quote.meanings.diff_of_meanings())
    print(f"\n{quote.texts:,} of {quote.of:,} texts can change ({quote.rows:,} rows); they would be asked again {cost}")
    words = ("boundaries", arguments.folder, "--answers", arguments.answers, "--apply", *_at(arguments))
    print(f"do it: {freeal_command(*words)}")


def _at(arguments: argparse.Namespace) -> tuple[str, ...]:
    """What a further command needs to say of the language model's address."""
    return ("--llm-url", arguments.llm_url) if arguments.llm_url else ()


def _apply_boundary_answers(version: Path, quote: Quote, arguments: argparse.Namespace) -> int:
    import anyio

    from freeal.job.new_version import boundary_job
    from freeal.results.metrics_as_text import read_metrics

    name = read_metrics(version)["name"]
    places = ResultPlaces.of(arguments.output_model or Path(f"{name}-boundaries"), key="--output-model")
    answers = work_folder.answers_path()
    job = boundary_job.BoundaryJob(
        job_id=work_folder.job_id(f"{name}-boundaries", places.results),
        billed_to=str(places.results),
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
        with shown_training_progress(sys.stderr) as emit:
            outcome = anyio.run(lambda: boundary_job.apply_boundary_answers(job, emit=emit, api_key=arguments.api_key))
        places.deliver_results()
        work_folder.close_work_folder(job)
    moved, cost = boundary_job.moved(outcome.metrics), outcome.metrics["cost"]
    files = {"model": str(places.model), "all_results": str(places.results)}
    found = _quote_as_json(quote) | {"moved": moved, "paid_usd": cost["usd"], "calls": cost["calls"]} | files

    def words() -> None:
        print(quote.meanings.diff_of_meanings())
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
