"""The commands about money: `estimate`, what a run would cost, and `cache`, the answers that are paid for.

python -m freeal estimate reviews.csv reviews.yaml
python -m freeal cache --prune-older-than 90d
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path

from freeal.errors import ConfigError, Where

_UNITS = {"h": 3_600.0, "d": 86_400.0, "w": 604_800.0}
SERVICE_STORE = Path(".state") / "answers.sqlite"


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The two commands, each with `run`."""
    estimate = commands.add_parser("estimate", help="what annotating a CSV would ask, cost and take; asks nobody")
    estimate.set_defaults(run=_estimate)
    estimate.add_argument("csv", type=Path, metavar="CSV")
    estimate.add_argument("spec", type=Path, metavar="SPEC", help="the YAML file that says what the labels are")
    estimate.add_argument(
        "--path", type=Path, metavar="FILE", help="answer store to look into; default: that of `train`"
    )

    cache = commands.add_parser(
        "cache", help="the answer store: size, entries, hits; --prune-older-than makes it smaller"
    )
    cache.set_defaults(run=_cache)
    cache.add_argument(
        "--path", type=Path, metavar="FILE", help="default: that of `train`; the service's: STATE/answers.sqlite"
    )
    cache.add_argument(
        "--prune-older-than",
        type=_seconds,
        metavar="AGE",
        help="delete what was neither stored nor used for so long: 12h, 30d, 8w",
    )


def answers_path() -> Path:
    """Where `train` keeps its answers."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("freeal")) / "answers.sqlite"


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+)([hdw])", text.strip())
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no age: a number with h, d or w is expected, like 30d")
    return int(found[1]) * _UNITS[found[2]]


def _estimate(arguments: argparse.Namespace) -> int:
    import anyio

    from freeal.cost_estimate.job_estimate import estimate
    from freeal.job.training_job import TrainingJob
    from freeal.spec import job_spec
    from freeal.text.printable_text import visible

    answers = arguments.path or answers_path()
    _must_exist(arguments.path)
    work = Path.cwd()
    job = TrainingJob(
        job_id="estimate",
        csv=arguments.csv,
        spec=job_spec.load(arguments.spec),
        output=work,
        work=work,
        answers=answers,
        cache=answers.parent,
        key_folder=work,
    )
    found = anyio.run(lambda: estimate(job, environ=os.environ))
    _print_pairs(found.figures())
    _say(f"\nthe first prompt:\n{visible(found.first_prompt)}")
    return 0


def _cache(arguments: argparse.Namespace) -> int:
    from freeal.llm.store import store_maintenance

    path = arguments.path or answers_path()
    _must_exist(arguments.path)
    if not path.is_file():
        _say(f"{path}: no answers yet")
        _tell_of_the_service(path)
        return 0
    if arguments.prune_older_than is not None:
        before_bytes = store_maintenance.size_bytes(path)
        deleted = store_maintenance.prune(path, older_than_seconds=arguments.prune_older_than)
        freed = before_bytes - store_maintenance.size_bytes(path)
        _say(f"{deleted:,} answers deleted, {max(0, freed) / 1e6:.1f} MB freed")
    shares = store_maintenance.contents(path)
    _print_pairs([("file", str(path)), ("size", f"{store_maintenance.size_bytes(path) / 1e6:.1f} MB")])
    for share in shares:
        _say(f"{share.asked_of or 'of earlier versions'}: {share.entries:,} answers, used again {share.hits:,} times")
    if not shares:
        _say("no answers")
    _tell_of_the_service(path)
    return 0


def _must_exist(path: Path | None) -> None:
    if path is not None and not path.is_file():
        raise ConfigError("there is no such file", where=Where(file=path, key="--path"))


def _tell_of_the_service(path: Path) -> None:
    if SERVICE_STORE.is_file() and SERVICE_STORE.absolute() != path.absolute():
        _say(f"the service has a store of its own: --path {SERVICE_STORE}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


def _print_pairs(pairs: list[tuple[str, str]]) -> None:
    width = max(len(what) for what, _ in pairs)
    for what, value in pairs:
        _say(f"{what:<{width}}  {value}")
