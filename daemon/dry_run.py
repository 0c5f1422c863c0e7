"""`--dry-run`: reads everything a run would take, says what it would cost, calls nothing, moves nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
from rich.console import Console

from daemon.config import Loaded
from daemon.errors import ChildError
from daemon.inbox.intake import load_spec
from daemon.inbox.pairing import Pair, pair
from daemon.inbox.scanner import Scanner
from daemon.jobs.request import job_content
from daemon.processes.protocol import Answer, Failure, Result
from daemon.processes.supervisor import child, converse
from freeal.assembly import resolve_provider
from freeal.errors import FreealError
from freeal.events import Event
from freeal.spec import Spec
from freeal.text import visible

SURVEY = "daemon.processes.survey"
TIMEOUT_SECONDS = 3600.0


def dry_run(loaded: Loaded, console: Console, *, environment: Mapping[str, str] = os.environ) -> int:
    """Show what every job would ask, cost and take, and every file that would wait; 0 when all could run, else 1."""
    settings = loaded.settings
    first = Scanner(settings).scan(0.0)
    # everything is looked at as if it had stood still for long enough
    later = settings.watch.pair_timeout_seconds + settings.watch.stability_seconds
    found = pair(first.observations, settings.watch, now=later)
    problems = []
    for ready in found.ready:
        outcome = _survey(loaded, ready, environment)
        if isinstance(outcome, FreealError):
            problems.append(f"{ready.csv}: {outcome}")
        else:
            _show(ready.csv, outcome, console)
    if found.ready and settings.llm.daily_budget_usd is not None:
        _say(console, f"all jobs of a day together: at most {settings.llm.daily_budget_usd:.2f} USD")
    for problem in problems:
        _say(console, f"would fail: {problem}")
    for entry in found.waiting:
        _say(console, f"waits: {entry.name}: {entry.reason}")
    if not (found.ready or found.waiting):
        _say(console, f"nothing lies in {settings.inbox}")
    return 1 if problems else 0


def _show(csv: str, content: dict[str, Any], console: Console) -> None:
    _say(console, csv)
    width = max(len(what) for what, _ in content["figures"])
    for what, value in content["figures"]:
        _say(console, f"  {what:<{width}}  {value}")
    _say(console, "  the first prompt:")
    for line in visible(content["first_prompt"]).splitlines():
        _say(console, f"    {line}")
    _say(console, "")


def _say(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def _survey(loaded: Loaded, ready: Pair, environment: Mapping[str, str]) -> dict[str, Any] | FreealError:
    settings = loaded.settings
    try:
        spec, _ = load_spec(settings.inbox / ready.spec, csv_name=ready.csv)
        content = anyio.run(_survey_in, loaded, spec, settings.inbox / ready.csv, environment)
    except FreealError as error:
        return error
    return content | {"figures": [("model", spec.name), *content["figures"]]}


async def _survey_in(loaded: Loaded, spec: Spec, csv: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    return await survey(loaded, spec, csv=csv, folder=loaded.settings.work / "dry-run", environment=environment)


async def survey(
    loaded: Loaded, spec: Spec, *, csv: Path, folder: Path, environment: Mapping[str, str] = os.environ
) -> dict[str, Any]:
    """What a job of this CSV would ask, cost and take: `figures`, pairs of what and how much, and `first_prompt`.

    `folder` is where its work would lie; nothing is written. Raises `FreealError` for what would make the job fail.
    """
    llm = spec.llm_settings(loaded.settings.llm)
    provider, _ = resolve_provider(llm, api_key=None, environ=environment, key_folder=loaded.base)
    job = job_content(spec.name, spec, loaded.settings, csv=csv, folder=folder, key_folder=loaded.base)
    answer = await ask_once(SURVEY, json.dumps({"provider": provider, "job": job}))
    if isinstance(answer, Result):
        return answer.content
    raise answer.as_error() if isinstance(answer, Failure) else ChildError("ended without an answer")


async def ask_once(module: str, request: str) -> Answer:
    """One question to a process of its own."""
    async with child(module) as process:
        answer = await converse(
            process,
            request,
            on_event=_ignore,
            stop=anyio.Event(),
            silence_seconds=TIMEOUT_SECONDS,
            grace_seconds=0.0,
        )
        code = await process.finish()
    return answer or Failure.of(process.how_it_died(code))


def _ignore(event: Event) -> None:
    """A dry run is not long enough to be followed."""
