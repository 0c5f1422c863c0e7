"""Label tables with a finished student: no language model, no cost, any number of rows.

Rows are read, scored and written in windows, so memory does not grow with the file; the output is complete or absent;
what was cut off goes on where it was when the same is asked for again. The parts are in freeal/prediction.
"""

from __future__ import annotations

from typing import Any

from freeal.errors import InputError, ModelFolderError
from freeal.events import Emit, ignore
from freeal.files import atomic_write
from freeal.prediction.prediction_job import PredictionJob
from freeal.prediction.published_model import Classifier
from freeal.prediction.run_by_engine import open_run
from freeal.prediction.second_opinion import SecondOpinion

__all__ = ["Classifier", "PredictionJob", "predict_csv"]


def predict_csv(
    job: PredictionJob,
    *,
    emit: Emit = ignore,
    classifier: Classifier | None = None,
    ask: SecondOpinion | None = None,
) -> dict[str, Any]:
    """Write `output_csv` (the input's rows in order, plus label, confidence and one probability per label) and the
    summary, which is also returned. `classifier` is a warm one for `job.model`, `ask` is asked about rows below its
    promise (freeal/job/ask_below_promise.py).

    Cut off (by a kill, a full disk, Ctrl-C, a key that is missing, a cluster that fails), the same job goes on after
    the last finished window. Raises `InputError` for the table and `ModelFolderError` for the model; then no output is
    there, and nothing to go on with.
    """
    with open_run(job, classifier or Classifier.load(job.model, job.settings), emit=emit, ask=ask) as run:
        try:
            emit(run.progress)
            while run.step():
                emit(run.progress)
            emit(run.progress)
        except (InputError, ModelFolderError):
            run.discard()
            raise
        summary = run.finish()
        if job.summary_json is not None:
            atomic_write.write_json(job.summary_json, summary)
        run.forget()
    return summary
