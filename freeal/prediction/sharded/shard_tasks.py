"""What a finished student does to a shard of texts: it labels them, or says where they lie.

A shard has `row_id` and `text` (null for a row without one). Within a shard each distinct text is computed once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from freeal.executors.shard_folder import ROW_ID, import_pyarrow
from freeal.executors.shard_task import ShardFunction
from freeal.files.model_folders import classifier_folder
from freeal.prediction.published_model import identity_of

if TYPE_CHECKING:
    from freeal.student.protocols import Student

TEXT = "text"
TRUNCATED, EMBEDDING = "freeal_truncated", "embedding"
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

    def _student(self, folder: Path | None) -> Student:
        from freeal.student.model_folder import load_student

        return load_student.load(folder or self.folder, batch_size=self.batch_size)


class PredictShard(_StudentTask):
    """`row_id`, a float32 `freeal_p_<label>` each and `freeal_truncated`; null, the first aside, for a row without
    text. Which label that makes is decided where all predictions are (freeal/aggregation/label_choice.py)."""

    __slots__ = ()

    def open(self, folder: Path | None) -> ShardFunction:
        """Load the student."""
        student = self._student(folder)

        def predict(table: Any) -> Any:
            pa = import_pyarrow()
            texts, places = distinct(table.column(TEXT).to_pylist())
            read = student.read(texts)
            proba = student.score(read)
            cut = np.array([text.cut for text in read], dtype=bool)
            mask = places < 0
            columns = {ROW_ID: table.column(ROW_ID)}
            for number, label in enumerate(student.labels):
                columns[SCORE + label] = pa.array(_at(proba[:, number], places), pa.float32(), mask=mask)
            columns[TRUNCATED] = pa.array(_at(cut, places), pa.bool_(), mask=mask)
            return pa.table(columns)

        return predict


class EmbedShard(_StudentTask):
    """`row_id` and `embedding`, float16 at unit length; null for a row without text."""

    __slots__ = ()

    def open(self, folder: Path | None) -> ShardFunction:
        """Load the student."""
        student = self._student(folder)

        def embed_shard(table: Any) -> Any:
            pa = import_pyarrow()
            texts, places = distinct(table.column(TEXT).to_pylist())
            vectors = student.embed(texts).astype(np.float16) if texts else np.zeros((1, 1), dtype=np.float16)
            values = pa.array(vectors[np.maximum(places, 0)].ravel(), pa.float16())
            lists = pa.FixedSizeListArray.from_arrays(values, vectors.shape[1], mask=pa.array(places < 0))
            return pa.table({ROW_ID: table.column(ROW_ID), EMBEDDING: lists})

        return embed_shard


def distinct(texts: list[str | None]) -> tuple[list[str], np.ndarray]:
    """Each text once, in order of appearance, and int64 [rows] which of them a row holds, -1 for none."""
    found: dict[str, int] = {}
    places = [-1 if text is None else found.setdefault(text, len(found)) for text in texts]
    return list(found), np.array(places, dtype=np.int64)


def _at(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Of each row's text; anything where it has none."""
    return np.asarray(np.append(values, np.zeros(1, dtype=values.dtype))[places])


def shard_tables(texts: Iterable[str], *, shard_rows: int) -> Iterator[Any]:
    """From the text of each row, "" for none, to tables of `shard_rows` rows."""
    pa = import_pyarrow()
    first, piece = 0, []
    for text in texts:
        piece.append(text.encode("utf-8", "replace").decode() or None)
        if len(piece) == shard_rows:
            yield _table(pa, first, piece)
            first, piece = first + len(piece), []
    if piece:
        yield _table(pa, first, piece)


def _table(pa: Any, first: int, texts: list[str | None]) -> Any:
    ids = pa.array(range(first, first + len(texts)), pa.int64())
    return pa.table({ROW_ID: ids, TEXT: pa.array(texts, pa.large_string())})
