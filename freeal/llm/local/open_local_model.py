"""The engine of a local model: in this process, or over the processes of a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from freeal.compute.device_turn import DeviceTurn
from freeal.executors.engine_choice import EngineRule
from freeal.llm.local.local_model import LocalModel
from freeal.llm.protocols import ChatModel
from freeal.settings import LlmSettings, RaySettings


async def open_local_model(
    settings: LlmSettings,
    ray: RaySettings | None,
    *,
    texts: int,
    cache: Path,
    device: str,
    turn: DeviceTurn,
    notice: Callable[[str], None],
) -> ChatModel:
    """The local model that `settings` name, for a job of so many `texts`, over the cluster `ray` where that is wanted
    (None: a few questions beside a job, which no cluster is started for); `notice` hears which engine it is, and why,
    where there is a choice. Raises `ConfigError` where model or engine cannot be had."""
    if ray is None:
        return await LocalModel.load(settings.model, cache=cache, device=device, turn=turn, on_notice=notice)
    rule = EngineRule("llm", settings.engine, "texts", settings.ray_from_texts, "ray_from_texts")
    choice = rule.choose_engine(ray, count=texts)
    if ray.address is not None or choice.engine == "ray":
        notice(f"the language model: {choice}")
    if choice.engine == "local":
        return await LocalModel.load(settings.model, cache=cache, device=device, turn=turn, on_notice=notice)
    from freeal.executors.ray_executor import RayExecutor
    from freeal.llm.local.sharded_model import ShardedLocalModel

    executor = RayExecutor(ray, on_notice=notice)
    return await ShardedLocalModel.load(
        settings.model, cache=cache, executor=executor, device=device, turn=turn, on_notice=notice
    )
