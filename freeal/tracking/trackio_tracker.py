"""Runs told to Trackio (extra: track): a database on this machine, `trackio show` opens the page."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from freeal.errors import ConfigError
from freeal.tracking.protocols import Param


class TrackioTracker:
    """A `Tracker` that writes a run of `project`. Nothing leaves the machine unless Trackio's own environment says so
    (`TRACKIO_SPACE_ID`, `TRACKIO_SERVER_URL`)."""

    def __init__(self, project: str = "freeal") -> None:
        """Raises `ConfigError` where Trackio is not installed."""
        try:
            import trackio
        except ImportError as cause:
            raise ConfigError("trackio is not installed", hint="install freeal-daemon[track]") from cause
        self._trackio: Any = trackio
        self._project = project
        self._run: Any = None

    def begin(self, name: str, params: Mapping[str, Param]) -> None:
        """A run with its parameters as its configuration; Trackio numbers runs of one name."""
        with _quiet():
            self._run = self._trackio.init(
                project=self._project,
                name=name,
                config=dict(params),
                embed=False,
                auto_log_gpu=False,
                auto_log_cpu=False,
            )

    def log_round(self, number: int, metrics: Mapping[str, float]) -> None:
        """The round's numbers, at the step of its number."""
        self._run.log({f"round.{key}": value for key, value in metrics.items()}, step=number)

    def finish(self, metrics: Mapping[str, float], artifacts: Mapping[str, Path]) -> None:
        """The figures of the whole, the files, and the end of the run."""
        self._run.log(dict(metrics))
        with _quiet():
            for what, path in artifacts.items():
                self._run.log_artifact(path, name=f"{self._project}-{what}", type=what)
            self._run.finish()

    def fail(self, error: BaseException) -> None:
        """The run ended early; that it did stays as a figure, no text of the error: it may quote a row."""
        del error
        self._run.log({"failed": 1.0})
        with _quiet():
            self._run.finish()


def _quiet() -> contextlib.redirect_stdout[io.StringIO]:
    """It prints to stdout what belongs to a terminal."""
    return contextlib.redirect_stdout(io.StringIO())
