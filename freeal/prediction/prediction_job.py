"""What is to be labelled, by which model, into which file. Light: the daemon's own process reads this."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from freeal.settings import PredictSettings, RaySettings
from freeal.table.csv_format import CsvFormat


class PredictionJob(BaseModel):
    """One table to be labelled by the model in folder `model`; `text_columns` None means those it was trained on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Path
    input_csv: Path
    output_csv: Path
    summary_json: Path | None = None
    text_columns: tuple[str, ...] | None = None
    csv: CsvFormat = CsvFormat()
    settings: PredictSettings = PredictSettings()
    ray: RaySettings = RaySettings()
