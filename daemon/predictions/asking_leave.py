"""Leave to ask a language model about rows of a prediction that its model's promise leaves without a label.

It is the owner's to give (`predict.ask_below_promise_usd`), and what it may cost is set aside from the money of the day
when the prediction begins. Where nothing is left of that, the rows stay without a label.
"""

from __future__ import annotations

from pathlib import Path

import structlog

from daemon.config import Settings
from daemon.host.clock import Clock
from daemon.journal.job_record import RUNNING
from daemon.journal.journal import Journal
from daemon.journal.prediction_record import Prediction
from daemon.limits.provider_of_version import provider_of_version
from daemon.limits.spend_beside_jobs import SpendBesideJobs
from daemon.outbox.model_shelf import Shelf
from freeal.errors import BudgetReachedError, FreealError
from freeal.prediction.prediction_job import AskBelowPromise
from freeal.student.model_folder import student_metadata

_log = structlog.get_logger(__name__)


class AskingLeave:
    """Grants it once for each prediction and run of the daemon. Its methods block on the disk."""

    def __init__(self, journal: Journal, clock: Clock, *, key_folder: Path) -> None:
        self._journal, self._key_folder = journal, key_folder
        self._spend = SpendBesideJobs(journal, clock)
        self._granted: dict[str, float | None] = {}

    def provider_asked_about(self, prediction: Prediction, settings: Settings) -> str | None:
        """Who is asked about a prediction's rows, for its process to have that one's key; None where nobody is."""
        if settings.predict.ask_below_promise_usd is None or not _promises(prediction, settings):
            return None
        try:
            folder = _folder(prediction, settings).resolve().parent
            return provider_of_version(folder, settings.llm, key_folder=self._key_folder)
        except FreealError:
            return None  # its process finds that out too, and says so

    def leave_to_ask(self, prediction: Prediction, settings: Settings) -> AskBelowPromise | None:
        """What the process of a prediction is told; None where nobody may be asked, or the model promises nothing."""
        cap_usd = settings.predict.ask_below_promise_usd
        if cap_usd is None or not _promises(prediction, settings):
            return None
        if prediction.id not in self._granted:
            self._granted[prediction.id] = self._grant_to_ask(prediction, settings, cap_usd)
        running = sum(job.state in RUNNING for job in self._journal.unfinished())
        return AskBelowPromise(
            payer=prediction.id,
            answers=settings.answers,
            cache=settings.state / "cache",
            key_folder=self._key_folder,
            llm=settings.llm.model_copy(update={"budget_usd": self._granted[prediction.id]}),
            share=1.0 / (1 + running),
        )

    def book(self, prediction_id: str, settings: Settings) -> None:
        """What a slice came to."""
        if prediction_id in self._granted:
            self._spend.book_beside_jobs(prediction_id, answers=settings.answers)

    def over(self, prediction_id: str, settings: Settings) -> None:
        """Nothing more is asked: what was not spent is given back, be it set aside by a former daemon."""
        self._granted.pop(prediction_id, None)
        self._spend.settle_beside_jobs(prediction_id, answers=settings.answers)

    def _grant_to_ask(self, prediction: Prediction, settings: Settings, cap_usd: float) -> float | None:
        daily_usd = settings.llm.daily_budget_usd
        try:
            return self._spend.grant_beside_jobs(
                prediction.id, answers=settings.answers, cap_usd=cap_usd, daily_usd=daily_usd
            )
        except BudgetReachedError as problem:
            _log.warning("rows below the promise are not asked", prediction=prediction.id, problem=str(problem))
            return 0.0


def _promises(prediction: Prediction, settings: Settings) -> bool:
    try:
        return student_metadata.read_card(_folder(prediction, settings)).extra.get("promise") is not None
    except FreealError:
        return False  # its process says what is wrong with the folder


def _folder(prediction: Prediction, settings: Settings) -> Path:
    shelf = Shelf(settings.models, prediction.model)
    return shelf.version(prediction.version) / "model" if prediction.version else shelf.model
