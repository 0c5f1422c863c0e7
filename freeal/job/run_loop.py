"""The rounds of a job: the loop with what the job's settings say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from freeal.annotation.annotator import Annotator
from freeal.compute.device_turn import DeviceTurn, always
from freeal.evaluation.metrics import Evaluation
from freeal.events import Emit
from freeal.job.training_job import TrainingJob
from freeal.loop.freeal_loop import Loop
from freeal.loop.known_labels import NOTHING_KNOWN, Known
from freeal.loop.loop_result import LoopResult
from freeal.loop.round_store import RoundStore
from freeal.pool.text_pool import Pool
from freeal.student.protocols import Trainer


async def run_loop(
    job: TrainingJob,
    pool: Pool,
    *,
    annotators: Sequence[Annotator],
    trainer: Trainer,
    rounds: RoundStore,
    emit: Emit,
    known: Known = NOTHING_KNOWN,
    turn: DeviceTurn = always,
    before_training: Callable[[], Awaitable[None]] | None = None,
) -> LoopResult:
    """The rounds of `job`, whose settings are the effective ones; `before_training` is awaited in each of them."""
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
        before_training=before_training,
        further=tuple(annotators[1:]),
        llm_use=job.llm_use,
    )
    return await loop.run(job.spec.demonstrations)
