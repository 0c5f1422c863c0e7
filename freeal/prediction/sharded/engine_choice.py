"""Whether a table is labelled by this process or over a Ray cluster."""

from __future__ import annotations

from freeal.executors.engine_choice import EngineChoice, EngineRule
from freeal.settings import PredictSettings, RaySettings


def choose_engine(settings: PredictSettings, ray: RaySettings, *, rows: int) -> EngineChoice:
    """For a table of about `rows` rows. Raises `ConfigError` where `predict.engine: ray` cannot be kept."""
    rule = EngineRule("predict", settings.engine, "rows", settings.ray_from_rows, "ray_from_rows")
    return rule.choose(ray, count=rows)
