"""Templates to HTML: everything in them is escaped, and no text from outside can hold what UTF-8 cannot."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from daemon.journal.job_record import RUNNING
from daemon.terminal.duration_words import duration as lasting
from daemon.web.pages import page_charts
from daemon.web.pages.template_filters import (
    STATE_WORDS,
    can_cancel,
    can_go,
    can_retry,
    one_line,
    progress_in_words,
    readable_size,
    short_text,
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
            "size": readable_size,
            "one_line": one_line,
            "lasting": lasting,
            "percent": percent,
        }
        self._environment.globals |= {
            "words": STATE_WORDS,
            "progress": progress_in_words,
            "can_cancel": can_cancel,
            "can_retry": can_retry,
            "can_go": can_go,
            "share_bar": page_charts.share_bar,
            "is_running": lambda job: job.state in RUNNING,
            "assets": digest,
            "short_text": short_text,
        }
        self.parts: Any = self._environment.get_template("parts.html.j2").module
        """The macros that make parts of a page."""

    def render(self, template: str, context: Mapping[str, Any]) -> str:
        """A whole page."""
        return self._environment.get_template(template).render(context)


def _finalize(value: Any) -> Any:
    return printable(value) if type(value) is str else value
