"""A finished model in a notebook: texts or frames in, labels and probabilities out."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from freeal.aggregation import label_choice
from freeal.notebook import input_table
from freeal.prediction.promised_labels import PromisedLabels
from freeal.prediction.published_model import Classifier
from freeal.student.protocols import Student
from freeal.table import find_column, free_name
from freeal.text.label_paths import TREE_MEANINGS
from freeal.text.row_text import row_text
from freeal.types import Kind

if TYPE_CHECKING:
    import pandas as pd

_TEXTS_AT_ONCE = 10_000
_THE_FRAME = Path("the data frame")


@dataclasses.dataclass(frozen=True, slots=True)
class Predictions:
    """What a model says of rows, in their order.

    `frame` has the rows with `freeal_label`, `freeal_confidence` and a `freeal_p_<label>` each behind their columns,
    and `freeal_node` where the labels are a tree; rows without text have none of them. `probabilities` float32 [rows,
    labels] are in the order of `classes`, nan for rows without text; `labels` are None there, and where the model
    promised more than it can keep; `confidence` float32 [rows] is the probability of the label. Where a text may have
    several, `labels`, and `freeal_labels` of the frame, are their names joined by `;`, `(none)` for none, and
    `confidence` is the probability of exactly these.
    """

    frame: pd.DataFrame
    labels: list[str | None]
    confidence: np.ndarray
    probabilities: np.ndarray
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def _repr_html_(self) -> str:
        html: str = self.frame._repr_html_()  # type: ignore[operator]
        return html


class Model:
    """A classifier, loaded. `classes` are its labels, in order; `text_columns` those it reads of a frame."""

    def __init__(self, classifier: Classifier, folder: Path | None = None) -> None:
        self.folder = folder
        self._classifier = classifier

    @property
    def student(self) -> Student:
        """What scores the texts."""
        return self._classifier.student

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels, in the order of the probabilities."""
        return self.student.labels

    @property
    def text_columns(self) -> tuple[str, ...] | None:
        """The columns its texts were made of."""
        return self._classifier.text_columns

    @property
    def kind(self) -> Kind:
        """What the labels are to each other; of those in an order, the one nearest to all that may be true is given."""
        return self._classifier.kind

    def predict(self, data: Any) -> Predictions:
        """Label a list of texts (or a Series), or the rows of a data frame that has the model's text columns.

        A text that a model of several columns is given is in their form: `title: ..., body: ...`. Raises `InputError`
        where a column is missing.
        """
        import pandas as pd

        columns = self.text_columns or (input_table.TEXT_COLUMN,)
        is_frame = hasattr(data, "columns") or hasattr(data, "to_pandas")
        frame = input_table.as_frame(data, text_column=columns[0] if len(columns) == 1 else input_table.TEXT_COLUMN)
        if not is_frame:
            columns = (str(frame.columns[0]),)
        names = [str(name) for name in frame.columns]
        for column in columns:
            find_column(names, column, role="the model", path=_THE_FRAME)
        texts = [row_text(columns, row) for row in input_table.column_cells(frame, columns)]
        proba = self.predict_proba(texts)
        has_text = ~np.isnan(proba[:, 0])
        labels, confidence = self._predicted_labels(proba, has_text)
        own = "freeal_labels" if self.kind == "multi" else "freeal_label"
        added: dict[str, Any] = {own: pd.array(labels, dtype="object"), "freeal_confidence": confidence}
        added |= self._predicted_nodes(proba, has_text, labels)
        added |= {f"freeal_p_{label}": proba[:, place] for place, label in enumerate(self.classes)}
        return Predictions(_frame_with_columns(frame, added), labels, confidence, proba, self.classes)

    def predict_proba(self, texts: list[str]) -> np.ndarray:
        """Class probabilities, float32 [texts, labels]; nan for a text in which there is nothing to see. A text that
        stands there twice is computed once."""
        found = np.full((len(texts), len(self.classes)), np.nan, dtype=np.float32)
        distinct = list(dict.fromkeys(text for text in texts if text.strip()))
        places = {text: place for place, text in enumerate(distinct)}
        parts = [
            self.student.predict_proba(distinct[start : start + _TEXTS_AT_ONCE])
            for start in range(0, len(distinct), _TEXTS_AT_ONCE)
        ]
        if parts:
            proba = np.concatenate(parts)
            rows = [row for row, text in enumerate(texts) if text in places]
            found[rows] = proba[[places[texts[row]] for row in rows]]
        return found

    def __repr__(self) -> str:
        return f"<freeal model of {', '.join(map(repr, self.classes))}" + (
            f" in {self.folder}>" if self.folder else ">"
        )

    def _predicted_labels(self, proba: np.ndarray, has_text: np.ndarray) -> tuple[list[str | None], np.ndarray]:
        """The trained model's label for each row, None where none is given, and its probability."""
        if self.kind == "multi":
            thresholds = self._classifier.thresholds or None
            names, sure = label_choice.labels_of(np.nan_to_num(proba), self.classes, self.kind, thresholds)
            said = [label if there else None for label, there in zip(names, has_text, strict=True)]
            return said, np.where(has_text, sure, np.nan).astype(np.float32)
        chosen = label_choice.chosen_positions(np.where(has_text[:, None], proba, 0.0), self.kind)
        confidence = np.where(has_text, label_choice.confidence(proba, chosen), np.nan)
        promised = PromisedLabels.of(self._classifier.extra, self.classes)
        kept = has_text if promised is None else has_text & promised.keeps(chosen, np.nan_to_num(confidence))
        return [self.classes[best] if keep else None for best, keep in zip(chosen, kept, strict=True)], confidence

    def _predicted_nodes(self, proba: np.ndarray, has_text: np.ndarray, labels: list[str | None]) -> dict[str, Any]:
        """The columns of labels that are a tree, empty where no label is given; none of others."""
        import pandas as pd

        back_off = self._classifier.back_off
        if back_off is None:
            return {}
        names, shares = back_off.nodes(np.where(has_text[:, None], proba, 0.0))
        kept = np.array([label is not None for label in labels], dtype=bool)
        nodes = [name if keep else None for name, keep in zip(names, kept, strict=True)]
        values = (pd.array(nodes, dtype="object"), np.where(kept, shares, np.nan).astype(np.float32))
        return dict(zip(TREE_MEANINGS, values, strict=True))


def _frame_with_columns(frame: pd.DataFrame, columns: dict[str, Any]) -> pd.DataFrame:
    import pandas as pd

    header = [str(name) for name in frame.columns]
    added: dict[str, Any] = {}
    for name, values in columns.items():
        free = free_name(name, header)
        header.append(free)
        added[free] = values
    return pd.concat([frame, pd.DataFrame(added, index=frame.index)], axis=1)


def load(folder: str | Path, *, student: Student | None = None) -> Model:
    """The model in a folder: `models/<name>`, one of its versions, the classifier in either, what `train` wrote, or the
    folder of a run.

    `student` is for a model of a student of your own, loaded by you. Raises `ModelFolderError` for a folder that cannot
    be used.
    """
    place = Path(folder)
    return Model(Classifier.load(place, student=student), place)
