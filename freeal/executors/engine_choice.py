"""Whether work over shards is done by this process or over a Ray cluster, and why: the user is told both."""

from __future__ import annotations

import dataclasses
from typing import Literal

from freeal.errors import Where
from freeal.executors import ray_cluster
from freeal.executors.shard_task import Engine
from freeal.settings import RaySettings


@dataclasses.dataclass(frozen=True, slots=True)
class EngineChoice:
    """The engine, and the reason as a sentence."""

    engine: Engine
    why: str

    def __str__(self) -> str:
        return f"engine {self.engine}: {self.why}"


@dataclasses.dataclass(frozen=True, slots=True)
class EngineRule:
    """What the settings say: `asked` under the key `<section>.engine`, and for `auto` the least number of `unit`, under
    the key `<section>.<least_key>`, that is worth a cluster's start."""

    section: str
    asked: Literal["auto", "local", "ray"]
    unit: str
    least: int
    least_key: str

    def choose_engine(self, ray: RaySettings, *, count: int) -> EngineChoice:
        """For `count` of them. On one machine a single process already computes on all its cores, so `auto` takes Ray
        only for a cluster that somebody named, and for what is worth its start. Raises `ConfigError` where `ray` cannot
        be kept."""
        key, where = f"{self.section}.engine", Where(key=f"{self.section}.engine")
        if self.asked == "ray":
            ray_cluster.check_ray_settings(ray, where=where)
            return EngineChoice("ray", f"{key} says so")
        if self.asked == "local":
            return EngineChoice("local", f"{key} says so")
        if ray.address is None:
            return EngineChoice("local", "no ray.address is set")
        bound = f"{self.section}.{self.least_key} ({self.least:,})"
        if count < self.least:
            return EngineChoice("local", f"{count:,} {self.unit} are fewer than {bound}")
        if not ray_cluster.is_installed():
            return EngineChoice("local", "ray.address is set, but Ray is not installed here")
        ray_cluster.check_ray_settings(ray, where=where)
        return EngineChoice("ray", f"{count:,} {self.unit}, from {bound} on")
