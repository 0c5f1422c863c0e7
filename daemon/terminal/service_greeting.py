"""What a service on a terminal says of itself: at the start what it looks after, at the end what it leaves."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from daemon.config import Loaded
from daemon.journal.job_record import FINISHED, Job, State
from daemon.terminal.folded_lines import say


def greet(loaded: Loaded, console: Console) -> None:
    """Folders, what is waited for, how to stop."""
    settings = loaded.settings
    source = loaded.file if loaded.file is not None and loaded.file.is_file() else "no freeal.yaml: the defaults"
    say(console, f"FreeAL runs. Settings: {source}", style="bold")
    say(console, f"  inbox   {settings.inbox}")
    say(console, "drop a CSV and its spec (reviews.csv, reviews.yaml) here, in either order", indent=10)
    say(console, f"  models  {settings.models}")
    say(console, "results appear here; CSVs dropped in <name>/predict are labelled", indent=10)
    say(console, "`python -m daemon status` in another terminal shows how far it is. Ctrl-C stops; nothing is lost.")


def farewell(jobs: Sequence[Job], *, open_jobs: int, console: Console) -> None:
    """What this run finished, and what the next one goes on with."""
    done = sum(job.state is State.DONE for job in jobs)
    bad = sum(job.state in FINISHED for job in jobs) - done
    parts = [f"{done} {'job' if done == 1 else 'jobs'} done"] + ([f"{bad} failed or cancelled"] if bad else [])
    left = f"; {open_jobs} unfinished, which the next start goes on with" if open_jobs else ""
    say(console, f"FreeAL has stopped: {', '.join(parts)}{left}", style="bold")
