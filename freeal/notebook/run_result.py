"""What came of a run: labelled rows, figures, rounds and the model."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freeal.notebook import notebook_html_table, round_report, trained_model
from freeal.notebook.round_report import RoundReport
from freeal.notebook.trained_model import Model
from freeal.results import metrics_as_text
from freeal.results.output_files import annotated_columns
from freeal.student.protocols import Student
from freeal.table import read_table
from freeal.table.csv_format import CsvFormat
from freeal.types import Kind

if TYPE_CHECKING:
    import pandas as pd

_SHOWN_ROWS = 5
_NUMBERS = {"freeal_confidence": float, "freeal_clean": float, "freeal_round": int, "freeal_node_confidence": float}


@dataclasses.dataclass(frozen=True)
class RunResult:
    """A finished run.

    `frame` has the rows that were handed over, unchanged and in order, and our columns behind theirs (docs/results.md);
    of a file, every value as the text that stood there. `metrics` is metrics.json, `folder` holds every file of the
    run, `budget_reached` says that the results are partial.
    """

    folder: Path
    frame: pd.DataFrame
    metrics: dict[str, Any]
    budget_reached: bool = False
    student: Student | None = None
    """That of the run, where it is of the caller's own kind."""

    @property
    def rounds(self) -> tuple[RoundReport, ...]:
        """All rounds, in order."""
        return tuple(RoundReport.of(entry) for entry in self.metrics["rounds"])

    @functools.cached_property
    def model(self) -> Model:
        """The classifier, loaded at the first use."""
        return trained_model.load(self.folder, student=self.student)

    @property
    def accuracy(self) -> float | None:
        """Share of the rows with a true label whose final label is right; None where none is known."""
        found: float | None = self.metrics["final"].get("accuracy")
        return found

    @property
    def label_counts(self) -> dict[str, int]:
        """Rows per final label."""
        counts: dict[str, int] = self.metrics["final"]["label_counts"]
        return counts

    @property
    def usd(self) -> float:
        """What this run cost."""
        return float(self.metrics["cost"]["usd"])

    @property
    def model_usd(self) -> float:
        """What the model cost altogether, earlier runs into the same folder among it."""
        return float(self.metrics["model_cost"]["usd"])

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know about rows and outcome."""
        return tuple(self.metrics["warnings"])

    @property
    def report(self) -> Path:
        """The page that shows it all."""
        return self.folder / "report.html"

    @property
    def review_queue(self) -> pd.DataFrame:
        """The rows a person should look at first, as text."""
        return _as_frame(self.folder / "review_queue.csv")

    def __repr__(self) -> str:
        right = "accuracy unknown" if self.accuracy is None else f"accuracy {self.accuracy:.1%}"
        partial = ", partial: the budget is used up" if self.budget_reached else ""
        return f"<freeal run: {len(self.frame)} rows, {right}, {self.usd:.4f} USD, in {self.folder}{partial}>"

    def _repr_html_(self) -> str:
        lines = [*metrics_as_text.metrics_in_words(self.metrics), *(("note", one) for one in self.warnings)]
        if self.budget_reached:
            lines.append(("partial", "the budget is used up: the same again goes on"))
        figures = notebook_html_table.html_table_of_pairs([*lines, ("report", str(self.report))])
        head = self.frame.head(_SHOWN_ROWS)._repr_html_()  # type: ignore[operator]
        return f"{figures}{round_report.html_of_round_reports(self.rounds)}{head}"


def labelled_frame(
    folder: Path,
    given: pd.DataFrame | None,
    *,
    language_models: int = 1,
    kind: Kind = "single",
    labels: Sequence[str] = (),
) -> pd.DataFrame:
    """The rows of annotated.csv, which so many language models answered with `labels` of a `kind`; of `given` rows,
    themselves with our columns behind."""
    import pandas as pd

    annotated = _as_frame(folder / "annotated.csv")
    columns = annotated_columns(language_models, kind, labels)
    ours = annotated.iloc[:, -len(columns) :].copy()
    for name, column in zip(list(ours.columns), columns, strict=True):
        if column in _NUMBERS or column.startswith("freeal_p_"):
            ours[name] = pd.to_numeric(ours[name], errors="coerce")
        elif column != "freeal_status":
            ours[name] = ours[name].where(ours[name] != "", None)
    if given is None:
        return pd.concat([annotated.iloc[:, : -len(columns)], ours], axis=1)
    return pd.concat([given, ours.set_index(given.index)], axis=1)


def _as_frame(path: Path) -> pd.DataFrame:
    import pandas as pd

    table = read_table(path, CsvFormat(encoding="utf-8", quoting="minimal", skip_rows=0, ragged="refuse"))
    return pd.DataFrame([list(row) for row in table.rows], columns=list(table.header), dtype=object)
