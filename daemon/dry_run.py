"""`--dry-run`: reads everything a run would take, calls nothing, moves nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
from rich.console import Console
from rich.table import Table

from daemon.config import Settings
from daemon.errors import ChildError
from daemon.inbox.intake import load_spec
from daemon.inbox.pairing import Pair, pair
from daemon.inbox.scanner import Scanner
from daemon.processes.protocol import Answer, Failure, Result
from daemon.processes.supervisor import child, converse
from freeal.errors import FreealError
from freeal.events import Event

SURVEY = "daemon.processes.survey"
TIMEOUT_SECONDS = 3600.0


def dry_run(settings: Settings, console: Console) -> int:
    """Show every job that would be run and every file that would wait; 0 when all could run, 1 otherwise."""
    first = Scanner(settings).scan(0.0)
    # everything is looked at as if it had stood still for long enough
    later = settings.watch.pair_timeout_seconds + settings.watch.stability_seconds
    found = pair(first.observations, settings.watch, now=later)
    table = Table("job", "model", "rows", "distinct texts", "text columns", "known labels")
    problems = []
    for ready in found.ready:
        outcome = _survey(settings.inbox, ready)
        if isinstance(outcome, FreealError):
            problems.append(f"{ready.csv}: {outcome}")
            continue
        name, facts = outcome
        table.add_row(
            ready.csv,
            name,
            str(facts["rows"]),
            str(facts["distinct_rows"]),
            ", ".join(facts["text_columns"]),
            str(facts["known_labels"]),
        )
    if table.row_count:
        console.print(table)
    for problem in problems:
        console.print(f"would fail: {problem}", markup=False, soft_wrap=True)
    for entry in found.waiting:
        console.print(f"waits: {entry.name}: {entry.reason}", markup=False, soft_wrap=True)
    if not (found.ready or found.waiting):
        console.print(f"nothing lies in {settings.inbox}", markup=False, soft_wrap=True)
    return 1 if problems else 0


def _survey(inbox: Path, ready: Pair) -> tuple[str, dict[str, Any]] | FreealError:
    try:
        spec, _ = load_spec(inbox / ready.spec, csv_name=ready.csv)
    except FreealError as error:
        return error
    request = json.dumps({"csv": str(inbox / ready.csv), "spec": spec.model_dump(mode="json")})
    answer = anyio.run(ask_once, SURVEY, request)
    if isinstance(answer, Result):
        return spec.name, answer.content
    return answer.as_error() if isinstance(answer, Failure) else ChildError("ended without an answer")


async def ask_once(module: str, request: str) -> Answer:
    """One question to a process of its own."""
    async with child(module) as process:
        answer = await converse(
            process,
            request,
            on_event=_ignore,
            stop=anyio.Event(),
            timeout_seconds=TIMEOUT_SECONDS,
            grace_seconds=0.0,
        )
        code = await process.finish()
    return answer or Failure.of(process.how_it_died(code))


def _ignore(event: Event) -> None:
    """A dry run is not long enough to be followed."""
