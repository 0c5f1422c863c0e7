"""Runs told to MLflow (extra: track): a server, or a folder or database of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from freeal.errors import ConfigError
from freeal.tracking.protocols import Param

_LONGEST = 6_000
"""MLflow takes parameters of that many characters."""


class MlflowTracker:
    """A `Tracker` that writes a run of `experiment`; `tracking_uri` is MLflow's own setting where it is None."""

    def __init__(self, experiment: str = "freeal", *, tracking_uri: str | None = None) -> None:
        """Raises `ConfigError` where MLflow is not installed."""
        try:
            import mlflow
        except ImportError as cause:
            raise ConfigError("mlflow is not installed", hint="install freeal-daemon[track]") from cause
        self._client: Any = mlflow.MlflowClient(tracking_uri=tracking_uri)
        self._experiment = experiment
        self.run_id: str | None = None

    def begin(self, name: str, params: Mapping[str, Param]) -> None:
        """A run with its parameters; the experiment is made where it is missing."""
        found = self._client.get_experiment_by_name(self._experiment)
        experiment = found.experiment_id if found else self._client.create_experiment(self._experiment)
        self.run_id = self._client.create_run(experiment, run_name=name).info.run_id
        for key, value in params.items():
            self._client.log_param(self.run_id, _key(key), str(value)[:_LONGEST])

    def log_round(self, number: int, metrics: Mapping[str, float]) -> None:
        """The round's numbers, at the step of its number."""
        for key, value in metrics.items():
            self._client.log_metric(self.run_id, f"round.{_key(key)}", value, step=number)

    def finish(self, metrics: Mapping[str, float], artifacts: Mapping[str, Path]) -> None:
        """The figures of the whole, the files, and the end of the run."""
        for key, value in metrics.items():
            self._client.log_metric(self.run_id, _key(key), value)
        for what, path in artifacts.items():
            self._client.log_artifact(self.run_id, str(path), artifact_path=what)
        self._client.set_terminated(self.run_id, status="FINISHED")

    def fail(self, error: BaseException) -> None:
        """The run ended early; its kind of error stays as a tag, no text of it: that may quote a row."""
        self._client.set_tag(self.run_id, "error", type(error).__name__)
        self._client.set_terminated(self.run_id, status="FAILED" if isinstance(error, Exception) else "KILLED")


def _key(name: str) -> str:
    """MLflow's names hold letters, digits and a few signs; a label may hold anything."""
    return "".join(sign if sign.isalnum() or sign in "_-./ " else "_" for sign in name)
