"""The commands about money: `estimate`, what a run would cost, and `cache`, the answers that are paid for.

python -m freeal estimate reviews.csv reviews.yaml
python -m freeal cache --prune-older-than 90d
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import re
import sys
from pathlib import Path
from typing import Any

from freeal.cli.print_results import add_json, print_estimate, print_json, print_pairs
from freeal.errors import ConfigError, Where
from freeal.job import work_folder

_UNITS = {"h": 3_600.0, "d": 86_400.0, "w": 604_800.0}
SERVICE_STORE = Path(".state") / "answers.sqlite"


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The two commands, each with `run`."""
    estimate = commands.add_parser(
        "estimate",
        help="what annotating a CSV would ask, cost and take; asks nobody",
        description="Rows and distinct texts, who would annotate them, calls, tokens, cost from low to high, time, and "
        "the first prompt in full, for one CSV and its spec. Asks no model, costs nothing.",
    )
    estimate.set_defaults(run=_estimate)
    estimate.add_argument("csv", type=Path, metavar="CSV", help="the table with the texts")
    estimate.add_argument("spec", type=Path, metavar="SPEC", help="the YAML file that says what the labels are")
    estimate.add_argument(
        "--path", type=Path, metavar="FILE", help="answer store to look into; default: that of `train`"
    )
    add_json(estimate, "the estimate, each amount with `low` and `high`")

    cache = commands.add_parser(
        "cache",
        help="the answer store: size, entries, hits; --prune-older-than makes it smaller",
        description="The store of paid answers: file, size, answers per model and how often they were used again.",
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
    add_json(cache, "file, size and answers per model")


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+)([hdw])", text.strip())
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no age: a number with h, d or w is expected, like 30d")
    return int(found[1]) * _UNITS[found[2]]


def _estimate(arguments: argparse.Namespace) -> int:
    import anyio

    from freeal.cost_estimate.job_estimate import estimate_job
    from freeal.job.training_job import TrainingJob
    from freeal.spec import job_spec

    answers = arguments.path or work_folder.answers_path()
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
    found = anyio.run(lambda: estimate_job(job, environ=os.environ))
    print_estimate(found, as_json=arguments.json)
    return 0


def _cache(arguments: argparse.Namespace) -> int:
    from freeal.llm.store import store_maintenance

    path = arguments.path or work_folder.answers_path()
    _must_exist(arguments.path)
    content: dict[str, Any] = {"file": str(path), "size_bytes": 0, "answers": []}
    if path.is_file():
        if arguments.prune_older_than is not None:
            before_bytes = store_maintenance.size_bytes(path)
            content["deleted"] = store_maintenance.prune_store(path, older_than_seconds=arguments.prune_older_than)
            content["freed_bytes"] = max(0, before_bytes - store_maintenance.size_bytes(path))
        content["size_bytes"] = store_maintenance.size_bytes(path)
        content["answers"] = [dataclasses.asdict(share) for share in store_maintenance.store_contents(path)]
    if arguments.json:
        print_json(content)
    else:
        _tell_of_answer_store(path, content)
    return 0


def _tell_of_answer_store(path: Path, content: dict[str, Any]) -> None:
    if not path.is_file():
        _say(f"{path}: no answers yet")
    else:
        if "deleted" in content:
            _say(f"{content['deleted']:,} answers deleted, {content['freed_bytes'] / 1e6:.1f} MB freed")
        print_pairs([("file", str(path)), ("size", f"{content['size_bytes'] / 1e6:.1f} MB")])
        for share in content["answers"]:
            asked_of = share["asked_of"] or "of earlier versions"
            _say(f"{asked_of}: {share['entries']:,} answers, used again {share['hits']:,} times")
        if not content["answers"]:
            _say("no answers")
    if SERVICE_STORE.is_file() and SERVICE_STORE.absolute() != path.absolute():
        _say(f"the service has a store of its own: --path {SERVICE_STORE}")


def _must_exist(path: Path | None) -> None:
    if path is not None and not path.is_file():
        raise ConfigError("there is no such file", where=Where(file=path, key="--path"))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
