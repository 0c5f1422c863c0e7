"""One table labelled by one model, window by window; it may be left after any of them and gone on with later."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

from freeal.events import Progress
from freeal.prediction import drift
from freeal.prediction.input_size import Extent, measure_input
from freeal.prediction.output import output_form_choice
from freeal.prediction.output.checkpointed_output import PREDECESSOR_SECONDS, Part
from freeal.prediction.output.output_cells import OutputColumns
from freeal.prediction.output.output_form import OutputForm
from freeal.prediction.prediction_job import PredictionJob
from freeal.prediction.published_model import Classifier
from freeal.prediction.row_windows import Window, WindowReader
from freeal.prediction.second_opinion import Opinion, SecondOpinion, ask_below_promise
from freeal.prediction.summary_counts import Tally
from freeal.prediction.window_scoring import Scores, ScoreSource, score_window
from freeal.table import Row, RowReader, find_column
from freeal.table.column_names import IMPORT_ID, repeats_header
from freeal.table.csv_format import CsvFormat
from freeal.text.row_text import row_text

WINDOW_SECONDS = 10.0
"""A window is to take about as long: a stop waits for its end, and a kill loses it."""
FIRST_ROWS = 1_000
FASTEST_GROWTH = 4
_FORMAT = 2
"""Of the checkpoint: a change of it, or of what stands in the output, begins unfinished ones anew."""


@dataclasses.dataclass(slots=True)
class _Clock:
    """Seconds worked on this table, over all processes."""

    before: float
    started: float

    @property
    def seconds(self) -> float:
        return self.before + time.monotonic() - self.started


class PredictionRun:
    """Opened, it stands after the last window that was finished before, by whichever process.

    Raises what `predict_csv` raises, from any method.
    """

    def __init__(
        self,
        job: PredictionJob,
        classifier: Classifier,
        *,
        extent: Extent | None = None,
        scores: Callable[[int], ScoreSource] | None = None,
        ask: SecondOpinion | None = None,
        patience_seconds: float = PREDECESSOR_SECONDS,
    ) -> None:
        """Waits for `patience_seconds` for another process at the same output to end. `extent` is that of the input,
        where it is known. `scores` gives what others have computed, from a row on; None: the student is asked. `ask` is
        asked about rows below the model's promise, and closed with the run."""
        self._job = job
        self._classifier = classifier
        self._columns = job.columns_beside(classifier.text_columns)
        output_form_choice.check(job.output_csv)
        self._ours = OutputColumns.of(classifier, may_ask=ask is not None)
        self._promised = self._ours.promised
        self._ask = ask if self._ours.may_ask else None
        self._pending: tuple[Window, Scores] | None = None
        self._go_on: Callable[[], bool] = lambda: True
        self._extent: Extent = extent or measure_input(job.input_csv)
        self._scores_from = scores
        self._scores: ScoreSource | None = None
        self._most_rows = job.settings.chunk_rows
        self._part = Part(job.output_csv, origin=self._origin_digest(), patience_seconds=patience_seconds)
        state = self._part.state or {}
        labels = classifier.student.labels
        self._tally = Tally(**state["tally"]) if "tally" in state else Tally(labels=labels, kind=classifier.kind)
        self._clock = _Clock(state.get("seconds", 0.0), time.monotonic())
        self._open_files = contextlib.ExitStack()
        self._reader: RowReader | None = None
        self._form: OutputForm | None = None
        self._windows: WindowReader | None = None
        self._left: Iterator[Window] | None = None
        self._is_read = self._part.is_whole

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @property
    def progress(self) -> Progress:
        """Rows done, and how many there will be in all: exact where no value has a line break within it."""
        done = self._tally
        total = done.rows if self._is_read else self._extent.rows_expected(rows_read=done.rows, line=done.line)
        return Progress("deciding", 0, self._tally.rows, total)

    def step(self) -> bool:
        """Label one window, write it and remember it; False when there was none left."""
        if self._part.is_whole:
            return False
        if self._left is None:
            self._left = self._open_windows()
        began = time.monotonic()
        if self._pending is None:
            window = next(self._left, None)
            if window is None:
                self._is_read = True
                return False
            self._pending = window, self._scored(window)
        window, scores = self._pending
        if (opinions := self._second_opinions(window, scores)) is None:
            return True
        self._pending = None
        profile, total = self._classifier.profile, self.progress.total
        longest = None if profile is None else profile.longest
        self._tally.add_window(
            window, scores, longest=longest, total_rows=total, promised=self._promised, opinions=opinions
        )
        self._tally.no_rows += sum(map(self._is_no_row, window.rows))
        assert self._form is not None  # noqa: S101 - it is opened with the table
        first_row = self._tally.rows - len(window.rows)
        rendered = self._form.window(window, scores, opinions, first_row=first_row)
        if self._ask is not None:
            self._ask.keep()  # first: what a kill lets it keep twice counts once
        self._part.append(rendered, self._state())
        self._pace(len(window.rows), time.monotonic() - began)
        return True

    def _scored(self, window: Window) -> Scores:
        if self._scores is not None:
            return self._scores.take(window)
        model = self._classifier
        return score_window(window, model.student, model.memory, kind=model.kind, thresholds=model.thresholds)

    def _second_opinions(self, window: Window, scores: Scores) -> Mapping[int, Opinion] | None:
        """By place; None where asking is to stop before all was asked."""
        if self._ask is None or self._promised is None or self._reader is None or not window.texts:
            return {}
        kept = self._promised.keeps(scores.chosen, scores.confidence)
        said = [self._classifier.student.labels[int(one)] for one in scores.chosen]
        columns = zip(self._columns, self._positions(self._reader), strict=True)
        return ask_below_promise(self._ask, window, kept, list(columns), said=said, go_on=self._go_on)

    def ask_while(self, go_on: Callable[[], bool]) -> None:
        """Where `go_on` says no, a `step` that asks comes back without having written; the next one goes on."""
        self._go_on = go_on

    def finish(self) -> dict[str, Any]:
        """Give the output its name; the summary. May be called again, by another process too."""
        if self._part.is_whole:
            summary: dict[str, Any] = (self._part.state or {})["summary"]
            return summary
        summary = self._tally.summary() | {
            "model": self._classifier.extra.get("name"),
            "model_version": self._classifier.extra.get("job"),
            "seconds": round(self._clock.seconds, 3),
            "drift": drift.drift_from_training(self._tally, self._classifier.profile),
        }
        summary |= self._told_of_asking()
        if self._tally.no_rows:
            said = (
                f"{self._tally.no_rows:,} rows repeat the header or hold a survey's ids: they have a label all the same"
            )
            summary["drift"]["warnings"].append(said)
        assert self._form is not None  # noqa: S101 - all windows came out of it
        pack = self._form.pack
        self._part.complete(self._state() | {"summary": summary}, pack=pack)
        return summary

    def forget(self) -> None:
        """The summary has been seen: nothing but the output stays."""
        self._part.forget()

    def discard(self) -> None:
        """Nothing stays: the table cannot be labelled."""
        self._part.discard()
        self.close()

    def close(self) -> None:
        """Stop reading and let go of the files; the work can be gone on with."""
        self._open_files.close()
        self._pending = None
        if self._ask is not None:
            self._ask.close()
        self._left = self._reader = self._form = self._windows = None
        self._part.close()

    def _open_windows(self) -> Iterator[Window]:
        self._reader = self._open_files.enter_context(self._opened_table())
        positions = self._positions(self._reader)
        self._form = output_form_choice.make(
            self._job.output_csv, self._ours, header=self._reader.header, dialect=self._reader.dialect
        )
        if self._part.state is None:
            self._part.append(self._form.header(), self._state())
        self._windows = WindowReader(
            self._reader,
            list(zip(self._columns, positions, strict=True)),
            student=None if self._scores_from else self._classifier.student,
            memory=self._classifier.memory,
            most_rows=min(FIRST_ROWS, self._most_rows),
            skip=self._tally.rows,
        )
        self._open_files.callback(self._windows.close)
        if self._scores_from is not None:
            self._scores = self._scores_from(self._tally.rows)
        return iter(self._windows)

    @property
    def is_whole(self) -> bool:
        """Whether the output is there already, and only what is said of it is left to do."""
        return self._part.is_whole

    @property
    def rows_origin(self) -> str:
        """A digest of all that the texts of the rows depend on."""
        parts = [self._extent.sha256, self._columns, self._csv_format().model_dump(mode="json")]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def texts(self) -> Iterator[str]:
        """The text of each row, "" for none."""
        with self._opened_table() as reader:
            positions = self._positions(reader)
            for _, row in reader:
                yield row_text(self._columns, [row[position] for position in positions])

    def _positions(self, reader: RowReader) -> list[int]:
        role = "text_columns" if self._job.text_columns else "the model"
        return [find_column(reader.header, name, role=role, path=self._job.input_csv) for name in self._columns]

    def _csv_format(self) -> CsvFormat:
        said = self._classifier.extra.get("csv", {})
        told = self._job.csv
        if told.output_encoding is None and "output_encoding" in said:
            told = told.model_copy(update={"output_encoding": said["output_encoding"]})
        return told

    def _opened_table(self) -> RowReader:
        """The table, read as the spec of the model said where nothing is said about this one: without a header, if its
        columns are not there otherwise."""
        said, told = self._classifier.extra.get("csv", {}), self._csv_format()
        reader = RowReader(self._job.input_csv, told)
        if told.header is None and said.get("header") and not set(self._columns) & set(reader.header):
            reader.close()
            reader = RowReader(self._job.input_csv, CsvFormat(**(told.model_dump() | {"header": said["header"]})))
        return reader

    def _is_no_row(self, row: Row) -> bool:
        assert self._reader is not None  # noqa: S101 - the row is one of its
        return any(value.startswith(IMPORT_ID) for value in row) or repeats_header(row, self._reader.header)

    def _pace(self, rows: int, seconds: float) -> None:
        assert self._windows is not None  # noqa: S101 - a window of it has just been written
        wanted = int(min(rows * WINDOW_SECONDS / max(seconds, 1e-6), rows * FASTEST_GROWTH))
        self._windows.most_rows = max(1, min(wanted, self._most_rows))

    def _state(self) -> dict[str, Any]:
        seconds = round(self._clock.seconds, 3)
        return {"tally": self._tally.as_dict(), "seconds": seconds, "asked": self._told_of_asking()}

    def _told_of_asking(self) -> dict[str, Any]:
        """By this process and those before it."""
        before: dict[str, Any] = (self._part.state or {}).get("asked", {})
        return before if self._ask is None else before | self._ask.summary()

    def _origin_digest(self) -> str:
        parts = [
            _FORMAT,
            self._extent.sha256,
            self._classifier.identity,
            self._classifier.student.labels,
            self._columns,
            self._job.csv.model_dump(mode="json"),
            *(["sharded"] if self._scores_from else []),
            *(["asked"] if self._ask is not None else []),
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
