"""A run over a table by the engine that its settings and its size ask for."""

from __future__ import annotations

from freeal.events import Emit, Notice, ignore
from freeal.executors.engine_choice import EngineChoice, EngineRule
from freeal.prediction.input_size import measure_input
from freeal.prediction.prediction_job import PredictionJob
from freeal.prediction.prediction_run import PredictionRun
from freeal.prediction.published_model import Classifier
from freeal.prediction.second_opinion import SecondOpinion
from freeal.prediction.sharded.sharded_run import ShardedRun
from freeal.settings import PredictSettings, RaySettings


def open_run(
    job: PredictionJob, classifier: Classifier, *, emit: Emit = ignore, ask: SecondOpinion | None = None
) -> PredictionRun | ShardedRun:
    """The run, where it was left before; `emit` hears which engine it is and why, where there is a choice. `ask` is
    asked about rows below the model's promise.

    Raises what `predict_csv` raises, and `ConfigError` where the engine cannot be had.
    """
    extent = measure_input(job.input_csv)
    choice = choose_engine(job.settings, job.ray, rows=max(0, extent.lines - 1))
    if choice.engine == "local":
        if job.ray.address is not None:
            emit(Notice(str(choice)))
        return PredictionRun(job, classifier, extent=extent, ask=ask)
    from freeal.executors.ray_executor import RayExecutor

    emit(Notice(str(choice)))
    executor = RayExecutor(job.ray, on_notice=lambda words: emit(Notice(words)))
    return ShardedRun(job, classifier, executor, choice, extent=extent, ask=ask)


def choose_engine(settings: PredictSettings, ray: RaySettings, *, rows: int) -> EngineChoice:
    """For a table of about `rows` rows. Raises `ConfigError` where `predict.engine: ray` cannot be kept."""
    rule = EngineRule("predict", settings.engine, "rows", settings.ray_from_rows, "ray_from_rows")
    return rule.choose_engine(ray, count=rows)
