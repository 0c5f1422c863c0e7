"""Templates to HTML: everything in them is escaped, and no text from outside can hold what UTF-8 cannot."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from daemon.journal.job_record import FINISHED, RUNNING, Job, State
from daemon.status.status_snapshot import pace
from daemon.terminal.duration_words import duration as lasting
from daemon.terminal.stage_words import in_words
from daemon.web.live.live_feed import View
from daemon.web.live.page_snapshot import Snapshot
from daemon.web.pages import page_charts
from freeal.report.number_format import duration, percent, printable

_HERE = Path(__file__).parents[1]
STATIC = {
    "page.css": "text/css",
    "page.js": "text/javascript",
    "review.css": "text/css",
    "review.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
"""The only files served from `static/`."""

_WORDS = {
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


class Pages:
    """Renders. Safe to use from several threads."""

    def __init__(self) -> None:
        self.static = {name: (_HERE / "static" / name).read_bytes() for name in STATIC}
        digest = hashlib.sha256(b"".join(self.static.values())).hexdigest()[:12]
        self._environment = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=_finalize,
        )
        self._environment.filters |= {
            "usd": usd,
            "time": time_element,
            "size": size,
            "one_line": one_line,
            "lasting": lasting,
            "percent": percent,
        }
        self._environment.globals |= {
            "words": _WORDS,
            "progress": progress,
            "can_cancel": can_cancel,
            "can_retry": can_retry,
            "can_go": can_go,
            "share_bar": page_charts.share_bar,
            "is_running": lambda job: job.state in RUNNING,
            "assets": digest,
            "short_text": short_text,
        }
        parts: Any = self._environment.get_template("parts.html.j2").module
        self._parts = parts

    def render(self, template: str, context: Mapping[str, Any]) -> str:
        """A whole page."""
        return self._environment.get_template(template).render(context)

    def view(self, snapshot: Snapshot) -> View:
        """The overview, in parts."""
        parts: dict[str, str] = {
            "summary": self._parts.summary(snapshot),
            "alerts": self._parts.alerts(snapshot),
            "waiting": self._parts.waiting(snapshot.waiting),
            "predictions": self._parts.predictions(snapshot.predictions),
            "money": self._parts.money(snapshot.money),
            "health": self._parts.health(snapshot),
        }
        rows = {
            "jobs": [(f"job-{job.id}", self._parts.job_row(job)) for job in snapshot.jobs],
            "failures": [(f"job-{job.id}", self._parts.failure(job)) for job in snapshot.failed],
            "finished": [(f"job-{job.id}", self._parts.finished_row(job)) for job in snapshot.finished],
            "models": [(f"model-{one.name}", self._parts.model_card(one)) for one in snapshot.models],
        }
        parts |= {name: html for entries in rows.values() for name, html in entries}
        lists = {name: tuple(key for key, _ in entries) for name, entries in rows.items()}
        return View({name: Markup(html) for name, html in parts.items()}, lists)  # noqa: S704 - rendered above


def _finalize(value: Any) -> Any:
    return printable(value) if type(value) is str else value


def usd(amount: float) -> str:
    """`$1.25`, with more digits where the amount is small."""
    return f"${amount:,.2f}" if amount >= 0.01 or amount == 0 else f"${amount:.4f}"


def time_element(seconds: float) -> Markup:
    """A moment (seconds since 1970) in UTC; the script turns it into the reader's own time."""
    moment = dt.datetime.fromtimestamp(seconds, dt.UTC)
    return Markup('<time datetime="{}">{} UTC</time>').format(
        moment.strftime("%Y-%m-%dT%H:%M:%SZ"), moment.strftime("%Y-%m-%d %H:%M")
    )


def size(count: float) -> str:
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


def progress(job: Job) -> str:
    """How far a running job is, in words."""
    text = in_words(job.stage or "starting", round_number=job.round, rounds=job.rounds)
    if not job.total:
        return text
    # as of its last sign of life: else it changes each second
    left = pace(job, job.updated_at)["remaining_seconds"]
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
