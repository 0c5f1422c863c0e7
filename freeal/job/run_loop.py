"""The rounds of a job: the loop with what the job's settings say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from freeal.annotation.annotator import Annotator
from freeal.compute.device_turn import DeviceTurn, always
from freeal.evaluation.metrics import Evaluation
from freeal.events import Emit
from freeal.loop.freeal_loop import Loop, LoopResult
from freeal.loop.known_labels import NOTHING_KNOWN, Known
from freeal.loop.round_store import RoundStore
from freeal.pool.text_pool import Pool
from freeal.settings import LoopSettings, StudentSettings
from freeal.spec.job_spec import Spec
from freeal.student.protocols import Trainer
from freeal.types import LlmUse


class RoundsJob(Protocol):
    """What the rounds need to know of a job."""

    @property
    def spec(self) -> Spec: ...

    @property
    def loop(self) -> LoopSettings: ...

    @property
    def student(self) -> StudentSettings: ...

    @property
    def llm_use(self) -> LlmUse: ...


async def run_loop(
    job: RoundsJob,
    pool: Pool,
    *,
    annotators: Sequence[Annotator],
    trainer: Trainer,
    rounds: RoundStore,
    emit: Emit,
    known: Known = NOTHING_KNOWN,
    turn: DeviceTurn = always,
) -> LoopResult:
    """The rounds of `job`, whose settings are the effective ones."""
    loop = Loop(
        task=job.spec.task,
        pool=pool,
        annotator=annotators[0],
        trainer=trainer,
        settings=job.loop,
        store=rounds,
        evaluation=Evaluation.of(pool, told=known.confirmed),
        seed=job.student.seed,
        emit=emit,
        known=known,
        turn=turn,
        further=tuple(annotators[1:]),
        llm_use=job.llm_use,
    )
    return await loop.run(job.spec.demonstrations)
