"""What templates call: filters that print a value for people, and what may be asked of a job as it stands."""

from __future__ import annotations

import datetime as dt

from markupsafe import Markup, escape

from daemon.journal.job_record import FINISHED, Job, State
from daemon.status.status_snapshot import pace_of_job
from daemon.terminal.stage_words import stage_in_words
from freeal.report.number_format import duration, printable

STATE_WORDS = {
    State.CLAIMED: "waits its turn",
    State.ANNOTATING: "asks the language model",
    State.TRAINING: "trains",
    State.PUBLISHING: "publishes",
    State.PAUSED: "paused",
    State.WAITING: "waits for you",
    State.DONE: "done",
    State.FAILED: "failed",
    State.CANCELLED: "cancelled",
}


def usd(amount: float) -> str:
    """`$1.25`, with more digits where the amount is small."""
    return f"${amount:,.2f}" if amount >= 0.01 or amount == 0 else f"${amount:.4f}"


def time_element(seconds: float) -> Markup:
    """A moment (seconds since 1970) in UTC; the script turns it into the reader's own time."""
    moment = dt.datetime.fromtimestamp(seconds, dt.UTC)
    return Markup('<time datetime="{}">{} UTC</time>').format(
        moment.strftime("%Y-%m-%dT%H:%M:%SZ"), moment.strftime("%Y-%m-%d %H:%M")
    )


def readable_size(count: float) -> str:
    """Bytes for people."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def short_text(text: str, most: int = 280) -> str:
    """The start of a text, for a list."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def one_line(text: str) -> Markup:
    """A file's name on one line: a line break in it is shown, not obeyed."""
    return escape(printable(text.replace("\n", "\u2424").replace("\r", "\u240d")))


def progress_in_words(job: Job) -> str:
    """How far a running job is, in words."""
    text = stage_in_words(job.stage or "starting", round_number=job.round, rounds=job.rounds)
    if not job.total:
        return text
    # as of its last sign of life: else it changes each second
    left = pace_of_job(job, job.updated_at)["remaining_seconds"]
    ending = "" if left is None else f", about {duration(left)} left in all"
    return f"{text}: {job.done:,} of {job.total:,}{ending}"


def can_cancel(job: Job) -> bool:
    """Whether there is something to cancel."""
    return job.state not in FINISHED and job.request != "cancel"


def can_retry(job: Job) -> bool:
    """Whether it can be run again."""
    return job.state in {State.FAILED, State.CANCELLED, State.PAUSED} and job.request != "retry"


def can_go(job: Job) -> bool:
    """Whether its pilot waits for a word."""
    return job.state is State.WAITING and not job.request
