"""Log lines with fields: for eyes on a terminal, one JSON object per line elsewhere. Never the text of a row."""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO

import structlog

from daemon.config import LogSettings


def configure_logging(settings: LogSettings, stream: TextIO | None = None) -> None:
    """Set up structlog for this process. Without `stream`, lines go to whatever `sys.stderr` is when they are written,
    so that a progress bar which has taken stderr over can keep them above itself."""
    on_terminal = (stream or sys.stderr).isatty()
    console = settings.format == "console" or (settings.format == "auto" and on_terminal)
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=on_terminal, pad_event_to=0)
        if console
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.level.upper()]),
        logger_factory=_factory(stream),
        cache_logger_on_first_use=False,
    )


class _CurrentStderr:
    """Looks stderr up at every line."""

    def msg(self, message: str) -> None:
        sys.stderr.write(message + "\n")
        sys.stderr.flush()

    debug = info = warning = error = critical = exception = msg


def _factory(stream: TextIO | None) -> Any:
    return structlog.WriteLoggerFactory(stream) if stream is not None else lambda *_: _CurrentStderr()
