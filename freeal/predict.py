"""Label CSVs with a finished student: no language model, no cost, any number of rows.

Rows are read, scored and written in chunks, so memory does not grow with the file; the output is complete or absent.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from freeal import atomic
from freeal.errors import CorruptModelError, Where
from freeal.events import Emit, Progress, ignore
from freeal.settings import PredictSettings
from freeal.spec import CsvFormat
from freeal.table import RowReader, TableWriter, find_column, free_name
from freeal.text import row_text

if TYPE_CHECKING:
    import numpy as np

    from freeal.student.base import Student


class PredictionJob(BaseModel):
    """One CSV to be labelled by the model in folder `model`; `text_columns` None means those it was trained on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Path
    input_csv: Path
    output_csv: Path
    summary_json: Path | None = None
    text_columns: tuple[str, ...] | None = None
    csv: CsvFormat = CsvFormat()
    settings: PredictSettings = PredictSettings()


class Classifier:
    """A published model folder, loaded: the student and the columns it reads."""

    def __init__(self, student: Student, extra: dict[str, Any]) -> None:
        self.student = student
        self.extra = extra

    @classmethod
    def load(cls, folder: Path, settings: PredictSettings | None = None) -> Classifier:
        """Load a model folder. Raises `ModelFolderError`, with what is wrong, when it cannot be used."""
        from freeal.student import card, store

        batch_size = (settings or PredictSettings()).batch_size
        return cls(store.load(folder, batch_size=batch_size), card.read(folder).extra)

    @property
    def text_columns(self) -> tuple[str, ...] | None:
        """The columns its texts were made of; None for a model trained without a table."""
        columns = self.extra.get("text_columns")
        return tuple(columns) if columns else None


def predict_csv(job: PredictionJob, *, emit: Emit = ignore, classifier: Classifier | None = None) -> dict[str, Any]:
    """Write `output_csv` (the input's rows in order, plus label, confidence and one probability per label) and the
    summary, which is also returned. `classifier` is a warm one for `job.model`.

    Raises `InputError` for the CSV and `ModelFolderError` for the model; then no output is there.
    """
    started = time.monotonic()
    classifier = classifier or Classifier.load(job.model, job.settings)
    tally = _Tally(classifier.student.labels)
    with RowReader(job.input_csv, job.csv) as reader:
        columns = job.text_columns or classifier.text_columns
        if columns is None:
            raise CorruptModelError(
                "the model does not say which columns it reads", where=Where(file=job.model), hint="name text columns"
            )
        positions = [find_column(reader.header, name, role="text_columns", path=job.input_csv) for name in columns]
        header = list(reader.header)
        for name in ("freeal_label", "freeal_confidence", *(f"freeal_p_{label}" for label in tally.labels)):
            header.append(free_name(name, header))
        rows = (row for _, row in reader)
        with atomic.writing(job.output_csv) as stream:
            writer = TableWriter(stream, reader.dialect.delimiter)
            writer.write(header)
            while chunk := list(islice(rows, job.settings.chunk_rows)):
                texts = [row_text(columns, [row[position] for position in positions]) for row in chunk]
                for row, found in zip(chunk, _score(classifier.student, texts), strict=True):
                    writer.write([*row, *tally.cells(found)])
                emit(Progress("deciding", 0, tally.rows, 0))
    summary = tally.summary() | {
        "model": classifier.extra.get("name"),
        "model_version": classifier.extra.get("job"),
        "seconds": round(time.monotonic() - started, 3),
    }
    if job.summary_json is not None:
        atomic.write_json(job.summary_json, summary)
    return summary


def _score(student: Student, texts: Sequence[str]) -> Iterator[np.ndarray | None]:
    """Probabilities per text, None for an empty one."""
    full = [text for text in texts if text]
    probabilities = iter(student.predict_proba(full)) if full else iter(())
    return (next(probabilities) if text else None for text in texts)


class _Tally:
    """Counts what is written, for the summary."""

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = tuple(labels)
        self.rows = 0
        self._empty = 0
        self._confidence = 0.0
        self._counts: Counter[str] = Counter()

    def cells(self, probabilities: np.ndarray | None) -> list[str]:
        """Label, confidence and probabilities of one row; all empty when it has no text."""
        self.rows += 1
        if probabilities is None:
            self._empty += 1
            return [""] * (2 + len(self.labels))
        best = int(probabilities.argmax())
        confidence = float(probabilities[best])
        self._counts[self.labels[best]] += 1
        self._confidence += confidence
        return [self.labels[best], f"{confidence:.4f}", *(f"{float(value):.4f}" for value in probabilities)]

    def summary(self) -> dict[str, Any]:
        scored = self.rows - self._empty
        return {
            "rows": self.rows,
            "empty_text": self._empty,
            "label_counts": {label: self._counts[label] for label in self.labels},
            "mean_confidence": round(self._confidence / scored, 4) if scored else None,
        }
