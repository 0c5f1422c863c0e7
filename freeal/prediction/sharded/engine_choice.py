"""Whether a table is labelled by this process or over a Ray cluster, and why: the user is told both."""

from __future__ import annotations

import dataclasses

from freeal.executors import ray_cluster
from freeal.executors.shard_task import Engine
from freeal.settings import PredictSettings, RaySettings


@dataclasses.dataclass(frozen=True, slots=True)
class EngineChoice:
    """The engine, and the reason as a sentence."""

    engine: Engine
    why: str

    def __str__(self) -> str:
        return f"engine {self.engine}: {self.why}"


def choose_engine(settings: PredictSettings, ray: RaySettings, *, rows: int) -> EngineChoice:
    """For a table of about `rows` rows. On one machine a single process already computes on all its cores, so `auto`
    takes Ray only for a cluster that somebody named, and for tables that are worth its start. Raises `ConfigError`
    where `predict.engine: ray` cannot be kept."""
    if settings.engine == "ray":
        ray_cluster.check(ray)
        return EngineChoice("ray", "predict.engine says so")
    if settings.engine == "local":
        return EngineChoice("local", "predict.engine says so")
    if ray.address is None:
        return EngineChoice("local", "no ray.address is set")
    if rows < settings.ray_from_rows:
        least = f"fewer than predict.ray_from_rows ({settings.ray_from_rows:,})"
        return EngineChoice("local", f"{rows:,} rows are {least}")
    if not ray_cluster.is_installed():
        return EngineChoice("local", "ray.address is set, but Ray is not installed here")
    ray_cluster.check(ray)
    return EngineChoice("ray", f"{rows:,} rows, from predict.ray_from_rows ({settings.ray_from_rows:,}) on")
