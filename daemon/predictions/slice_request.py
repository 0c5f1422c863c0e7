"""What the predict lane tells its process to do next."""

from __future__ import annotations

from daemon.config import Settings
from daemon.journal.prediction_record import Prediction
from daemon.journal.work_folder import Workplace
from daemon.outbox.model_shelf import Shelf
from daemon.predictions.finish_prediction import OUTPUTS
from daemon.processes.prediction_slice import Slice
from freeal.prediction.prediction_job import AskBelowPromise
from freeal.settings import PredictSettings


def slice_request(
    prediction: Prediction, settings: Settings, *, divisor: int, slice_seconds: float, ask: AskBelowPromise | None
) -> Slice:
    """The next slice of a prediction, its batches a `divisor`-th of what the settings say; `ask` is who is asked about
    rows below the model's promise."""
    place, shelf = Workplace(settings, prediction.id), Shelf(settings.models, prediction.model)
    told: PredictSettings = settings.predict
    smaller = {
        "batch_size": max(1, told.batch_size // divisor),
        "chunk_rows": max(1, told.chunk_rows // divisor),
    }
    return Slice(
        model=shelf.version(prediction.version) / "model" if prediction.version else shelf.model,
        input_csv=place.inputs / prediction.csv_name,
        output_csv=place.folder / OUTPUTS[told.output],
        settings=told.model_copy(update=smaller),
        ray=settings.ray,
        slice_seconds=slice_seconds,
        ask=ask,
    )
