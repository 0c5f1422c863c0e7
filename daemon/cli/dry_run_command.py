"""`--dry-run`: reads everything a run would take, says what it would cost, calls nothing, moves nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
from rich.console import Console

from daemon.cli.json_output import print_json
from daemon.config import Loaded
from daemon.inbox.claim_pair import load_dropped_spec
from daemon.inbox.inbox_scan import Scanner
from daemon.inbox.pairing import Pair, pair_files
from daemon.jobs.estimate_in_child import estimate_in_child
from freeal.errors import FreealError
from freeal.spec.job_spec import Spec
from freeal.text.printable_text import visible


def dry_run(
    loaded: Loaded, console: Console, *, as_json: bool = False, environment: Mapping[str, str] = os.environ
) -> int:
    """Show what every job would ask, cost and take, and every file that would wait; 0 when all could run, else 1."""
    settings = loaded.settings
    first = Scanner(settings).scan(0.0)
    # everything is looked at as if it had stood still for long enough
    later = settings.watch.pair_timeout_seconds + settings.watch.stability_seconds
    found = pair_files(first.observations, settings.watch, now=later)
    outcomes = {ready.csv: _estimate_pair(loaded, ready, environment) for ready in found.ready}
    problems = {csv: outcome for csv, outcome in outcomes.items() if isinstance(outcome, FreealError)}
    jobs = {csv: outcome for csv, outcome in outcomes.items() if not isinstance(outcome, FreealError)}
    if as_json:
        print_json(
            {
                "jobs": [{"csv": csv, "model": job["model"], **job["estimate"]} for csv, job in jobs.items()],
                "would_fail": [
                    {"csv": csv, "error": [part.as_dict() for part in error.parts]} for csv, error in problems.items()
                ],
                "waiting": [{"file": entry.name, "reason": entry.reason} for entry in found.waiting],
                "daily_budget_usd": settings.llm.daily_budget_usd,
            }
        )
        return 1 if problems else 0
    for csv, job in jobs.items():
        _show_estimate(csv, job, console)
    if found.ready and settings.llm.daily_budget_usd is not None:
        _say(console, f"all jobs of a day together: at most {settings.llm.daily_budget_usd:.2f} USD")
    for csv, error in problems.items():
        _say(console, f"would fail: {csv}: {error}")
    for entry in found.waiting:
        _say(console, f"waits: {entry.name}: {entry.reason}")
    if not (found.ready or found.waiting):
        _say(console, f"nothing lies in {settings.inbox}")
    return 1 if problems else 0


def _show_estimate(csv: str, content: dict[str, Any], console: Console) -> None:
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


def _estimate_pair(loaded: Loaded, ready: Pair, environment: Mapping[str, str]) -> dict[str, Any] | FreealError:
    settings = loaded.settings
    try:
        spec, _ = load_dropped_spec(settings.inbox / ready.spec, csv_name=ready.csv)
        content = anyio.run(_estimate_in_child, loaded, spec, settings.inbox / ready.csv, environment)
    except FreealError as error:
        return error
    return content | {"model": spec.name, "figures": [("model", spec.name), *content["figures"]]}


async def _estimate_in_child(loaded: Loaded, spec: Spec, csv: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    return await estimate_in_child(
        loaded, spec, csv=csv, folder=loaded.settings.work / "dry-run", environment=environment
    )
