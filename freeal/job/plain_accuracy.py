"""The accuracy of a plain student of the first answers, beside that of the job's own (`loop.compare_plain`)."""

from __future__ import annotations

import anyio.from_thread

from freeal.compute.device_turn import DeviceTurn
from freeal.evaluation import plain_distillation
from freeal.events import Emit, Progress
from freeal.job.training_job import TrainingJob
from freeal.pool.text_pool import Pool
from freeal.student.protocols import ComparesStudents, Trainer
from freeal.student.trainer_factory import make_trainer
from freeal.types import Annotation


async def plain_accuracy(
    job: TrainingJob, pool: Pool, first: tuple[Annotation, ...], *, trainer: Trainer, emit: Emit, turn: DeviceTurn
) -> float | None:
    """The accuracy of a plain student of the `first` annotations, of the kind that `trainer` has chosen where it had to
    choose; None without ground truth, and where `loop.compare_plain` is off."""
    if not job.loop.compare_plain:
        return None

    def on_step(done: int, total: int) -> None:
        anyio.from_thread.check_cancelled()
        emit(Progress("training", 0, done, total, "steps"))

    task, settings = job.spec.task, plain_distillation.plain(job.student)
    if isinstance(trainer, ComparesStudents) and trainer.chosen_name is not None:
        settings = settings.model_copy(update={"model": trainer.chosen_name})
    plain = make_trainer(settings, texts=len(pool), most_at_once=job.most_at_once, kind=task.kind, ray=job.ray)
    return await plain_distillation.plain_distillation(
        pool, first, plain, names=task.names, kind=task.kind, seed=settings.seed, turn=turn, on_step=on_step
    )
