"""What a finished student does to a shard of texts: it labels them, or says where they lie.

A shard has `row_id` and `text` (null for a row without one). Within a shard each distinct text is computed once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from freeal.executors.protocols import ShardFunction
from freeal.executors.shard_folder import ROW_ID, arrow
from freeal.files.model_folders import classifier_folder
from freeal.prediction.published_model import identity_of

if TYPE_CHECKING:
    from freeal.student.model_folder.text_classifier import TextClassifier

TEXT = "text"
LABEL, CONFIDENCE, TRUNCATED, EMBEDDING = "freeal_label", "freeal_confidence", "freeal_truncated", "embedding"
SCORE = "freeal_p_"
_FORMAT = 1


@dataclasses.dataclass(frozen=True, slots=True)
class _StudentTask:
    """The model lies in `folder`; `model_identity` tells it from any other."""

    folder: Path
    model_identity: str
    batch_size: int

    @classmethod
    def of(cls, model: Path, *, batch_size: int) -> Any:
        """The task for a model folder or one of its versions. Raises `OSError` where it holds no model."""
        folder = classifier_folder(model).resolve()
        return cls(folder, identity_of(folder), batch_size)

    @property
    def identity(self) -> str:
        """The kind of task and the model: how many texts are computed together is no part of a result."""
        return f"{type(self).__name__} {_FORMAT} {self.model_identity}"

    def _student(self, folder: Path | None) -> TextClassifier:
        from freeal.student.model_folder import load_student

        return load_student.load(folder or self.folder, batch_size=self.batch_size)


class PredictShard(_StudentTask):
    """`row_id`, `freeal_label`, `freeal_confidence`, `freeal_p_<label>` each, `freeal_truncated`; all but the first
    null for a row without text."""

    __slots__ = ()

    def open(self, folder: Path | None) -> ShardFunction:
        """Load the student."""
        student = self._student(folder)

        def predict(table: Any) -> Any:
            pa = arrow()
            texts, places = distinct(table.column(TEXT).to_pylist())
            read = student.read(texts)
            proba = student.score(read)
            cut = np.array([text.cut for text in read], dtype=bool)
            has_none = places < 0
            at = np.maximum(places, 0) if texts else np.zeros(0, dtype=np.int64)
            best = proba.argmax(axis=1)
            columns = {ROW_ID: table.column(ROW_ID)}
            if not texts:
                return _empty(columns[ROW_ID], student.labels)
            names = np.array(student.labels, dtype=object)[best]
            columns[LABEL] = pa.array(names[at], pa.string(), mask=has_none)
            columns[CONFIDENCE] = pa.array(proba.max(axis=1)[at], pa.float32(), mask=has_none)
            for number, label in enumerate(student.labels):
                columns[SCORE + label] = pa.array(proba[at, number], pa.float32(), mask=has_none)
            columns[TRUNCATED] = pa.array(cut[at], pa.bool_(), mask=has_none)
            return pa.table(columns)

        return predict


class EmbedShard(_StudentTask):
    """`row_id` and `embedding`, float16 at unit length; null for a row without text."""

    __slots__ = ()

    def open(self, folder: Path | None) -> ShardFunction:
        """Load the student."""
        student = self._student(folder)

        def embed(table: Any) -> Any:
            pa = arrow()
            texts, places = distinct(table.column(TEXT).to_pylist())
            vectors = student.embed(texts).astype(np.float16) if texts else np.zeros((1, 1), dtype=np.float16)
            values = pa.array(vectors[np.maximum(places, 0)].ravel(), pa.float16())
            lists = pa.FixedSizeListArray.from_arrays(values, vectors.shape[1], mask=pa.array(places < 0))
            return pa.table({ROW_ID: table.column(ROW_ID), EMBEDDING: lists})

        return embed


def distinct(texts: list[str | None]) -> tuple[list[str], np.ndarray]:
    """Each text once, in order of appearance, and int64 [rows] which of them a row holds, -1 for none."""
    found: dict[str, int] = {}
    places = [-1 if text is None else found.setdefault(text, len(found)) for text in texts]
    return list(found), np.array(places, dtype=np.int64)


def _empty(row_ids: Any, labels: tuple[str, ...]) -> Any:
    """The result of a shard without any text."""
    pa = arrow()
    kinds = {LABEL: pa.string(), CONFIDENCE: pa.float32()}
    kinds |= {SCORE + label: pa.float32() for label in labels} | {TRUNCATED: pa.bool_()}
    return pa.table({ROW_ID: row_ids} | {name: pa.nulls(len(row_ids), kind) for name, kind in kinds.items()})


def shard_tables(rows: Iterator[tuple[int, str]], *, shard_rows: int, on_rows: Callable[[int], None]) -> Iterator[Any]:
    """From (line, text) of each row to tables of `shard_rows` rows; `on_rows` hears how many rows were cut so far."""
    pa = arrow()
    first, texts = 0, []
    for _, text in rows:
        texts.append(text.encode("utf-8", "replace").decode() or None)
        if len(texts) == shard_rows:
            yield _table(pa, first, texts)
            first += len(texts)
            on_rows(first)
            texts = []
    if texts:
        yield _table(pa, first, texts)
        on_rows(first + len(texts))


def _table(pa: Any, first: int, texts: list[str | None]) -> Any:
    ids = pa.array(range(first, first + len(texts)), pa.int64())
    return pa.table({ROW_ID: ids, TEXT: pa.array(texts, pa.large_string())})
