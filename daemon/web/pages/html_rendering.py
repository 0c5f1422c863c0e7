"""Templates to HTML: everything in them is escaped, and no text from outside can hold what UTF-8 cannot."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from daemon.journal.job_record import RUNNING
from daemon.terminal.duration_words import duration as lasting
from daemon.web.live.live_feed import View
from daemon.web.live.page_snapshot import Snapshot
from daemon.web.pages import page_charts
from daemon.web.pages.template_filters import (
    STATE_WORDS,
    can_cancel,
    can_go,
    can_retry,
    one_line,
    progress,
    short_text,
    size,
    time_element,
    usd,
)
from freeal.report.number_format import percent, printable

_HERE = Path(__file__).parents[1]
STATIC = {
    "page.css": "text/css",
    "page.js": "text/javascript",
    "review.css": "text/css",
    "review.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
"""The only files served from `static/`."""


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
            "words": STATE_WORDS,
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
