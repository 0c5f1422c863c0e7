"""What a round came to, for whoever waits for the next one."""

from __future__ import annotations

import dataclasses
from typing import Any

from freeal.notebook import notebook_html_table
from freeal.report.number_format import MISSING, count, dollars, duration, percent


@dataclasses.dataclass(frozen=True, slots=True)
class RoundReport:
    """One finished round, counted in distinct texts.

    `clean` answers are judged right, `changed` labels are other than before, `agreement` is the share of texts on which
    language model and student agree; the accuracies are None without true labels. `metrics` has all of its entry in
    metrics.json.
    """

    round: int
    asked: int
    answered: int
    clean: int
    changed: int
    agreement: float
    seconds: float
    usd: float
    llm_accuracy: float | None
    student_accuracy: float | None
    metrics: dict[str, Any] = dataclasses.field(repr=False)

    @classmethod
    def of(cls, metrics: dict[str, Any]) -> RoundReport:
        """From a round's entry in metrics.json."""
        own = [field.name for field in dataclasses.fields(cls) if field.name != "metrics"]
        return cls(**{name: metrics.get(name) for name in own}, metrics=metrics)  # type: ignore[arg-type]

    def _repr_html_(self) -> str:
        return html_of_round_reports((self,))


def html_of_round_reports(reports: tuple[RoundReport, ...]) -> str:
    """Reports as a table, one a line."""
    header = (
        "round",
        "asked",
        "clean",
        "changed",
        "agreement",
        "right: language model",
        "right: student",
        "time",
        "cost",
    )
    rows = [
        (
            str(one.round),
            count(one.asked),
            count(one.clean),
            count(one.changed),
            percent(one.agreement),
            MISSING if one.llm_accuracy is None else percent(one.llm_accuracy),
            MISSING if one.student_accuracy is None else percent(one.student_accuracy),
            duration(one.seconds),
            dollars(one.usd),
        )
        for one in reports
    ]
    return notebook_html_table.html_table(header, rows)
