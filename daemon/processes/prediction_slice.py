"""What the predict lane asks of its process: to go on with one prediction for a while."""

from __future__ import annotations

from freeal.prediction.prediction_job import PredictionJob


class Slice(PredictionJob):
    """Work on this prediction for about `slice_seconds`. Answered by a `Result` when it is done by then, else by
    `Stopped`: the same request again goes on with it."""

    slice_seconds: float
