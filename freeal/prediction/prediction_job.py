"""What is to be labelled, by which model, into which file. Light: the daemon's own process reads this."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from freeal.errors import CorruptModelError, Where
from freeal.settings import LlmSettings, PredictSettings, RaySettings
from freeal.table.csv_format import CsvFormat


class AskBelowPromise(BaseModel):
    """Who is asked about rows that the model's promise leaves without a label, and within which limits.

    `payer` is whose bill in the answer store `answers` it is, `llm.budget_usd` caps all runs for this payer, `share` is
    the part of the provider's limits that may be used. Nothing secret: keys are looked up in `key_folder` and around.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    payer: str
    answers: Path
    cache: Path
    key_folder: Path
    llm: LlmSettings = LlmSettings()
    share: float = 1.0


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
    ask: AskBelowPromise | None = None

    def columns_beside(self, own: tuple[str, ...] | None) -> tuple[str, ...]:
        """The text columns that are named here, else the model's `own`. Raises `CorruptModelError` for neither."""
        if (columns := self.text_columns or own) is None:
            problem = "the model does not say which columns it reads"
            raise CorruptModelError(problem, where=Where(file=self.model), hint="name text columns")
        return columns
