"""What whoever starts a job brings along: who is told, whose turn it is, perhaps a model or a trainer of their own."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from freeal.compute.device_turn import DeviceTurn, always
from freeal.events import Emit, ignore
from freeal.job.open_chat_model import open_chat_model
from freeal.llm.limits.rate_limiter import Limiter
from freeal.llm.protocols import ChatModel
from freeal.settings import LlmSettings, RaySettings
from freeal.student.protocols import Trainer


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class JobResources:
    """`emit` is told of progress; `limiter` is for whoever wants to give the job less than the provider's limits
    (`Limiter.take_share`), `turn` for whoever runs several jobs on one machine: it is held while something is computed
    (freeal/compute/device_turn.py). `chat_model` answers in the place of the one the settings name, and `trainer`
    trains in the place of that of the settings; neither is closed.
    """

    emit: Emit = ignore
    api_key: str | None = None
    environ: Mapping[str, str] = dataclasses.field(default_factory=lambda: os.environ)
    limiter: Limiter | None = None
    turn: DeviceTurn = always
    chat_model: ChatModel | None = None
    trainer: Trainer | None = None

    @contextlib.asynccontextmanager
    async def language_model(
        self,
        settings: LlmSettings,
        *,
        cache: Path,
        key_folder: Path,
        device: str,
        ray: RaySettings | None = None,
        texts: int = 0,
    ) -> AsyncIterator[ChatModel]:
        """The caller's language model, or the one that `settings` name, which is closed at the end; a local one over
        the cluster `ray` where that is wanted for so many `texts`.

        Raises `CredentialsError` when a needed key is missing and `ConfigError` when the model cannot be had.
        """
        if self.chat_model is not None:
            yield self.chat_model
            return
        opened = await open_chat_model(
            settings,
            cache=cache,
            key_folder=key_folder,
            device=device,
            emit=self.emit,
            api_key=self.api_key,
            environ=self.environ,
            limiter=self.limiter,
            turn=self.turn,
            ray=ray,
            texts=texts,
        )
        async with contextlib.aclosing(opened):
            yield opened
