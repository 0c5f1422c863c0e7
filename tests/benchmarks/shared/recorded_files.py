"""Files as a finished version leaves them, made of recorded answers of language models whose truth is known."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from freeal.aggregation.label_posterior import evidence_of
from freeal.certification.sampling_frame import Frame, frame_of
from freeal.loop.final_label import decide_final_labels
from freeal.loop.round_state import RoundState
from freeal.pool import near_duplicates
from freeal.pool.text_pool import Pool
from freeal.settings import StudentSettings
from freeal.student.labelled_texts import LabelledTexts
from freeal.student.protocols import NO_LABEL, Student, Trainer
from freeal.student.trainer_factory import make_trainer
from freeal.types import Annotation, Decision, Status

TREC_LABELS = ("abbreviation", "entity", "description", "human", "location", "numeric")
TREC_MODELS = ("gemma", "llama", "mistral", "qwen", "yi")
MR_LABELS = ("positive", "negative")


@dataclasses.dataclass(frozen=True)
class RecordedFile:
    """One file: its rows in the frame, the true label of each (object [rows]), and what they were made of."""

    name: str
    labels: tuple[str, ...]
    pool: Pool
    frame: Frame
    truth: np.ndarray
    decisions: list[Decision]
    annotations: list[Annotation]
    proba: np.ndarray
    student: Student


def frozen_trainer() -> Trainer:
    """The trainer of their students; it keeps the texts' features."""
    return make_trainer(StudentSettings(model="minilm", mode="frozen"), texts=1_000)


_FILES = (("mr", MR_LABELS, ("gpt35",)), ("trec_llms", TREC_LABELS, TREC_MODELS))


def recorded_files(
    data: Path,
    trainer: Trainer,
    *,
    seed: int = 0,
    most_rows: int | None = None,
    names: Sequence[str] = ("mr", "trec_llms"),
) -> Iterator[RecordedFile]:
    """MR with GPT-3.5's answers, then TREC with those of five models; what is not there is left out."""
    for name, labels, columns in _FILES:
        path = data / name / "train.csv"
        if name not in names or not path.is_file():
            continue
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream, strict=True))
        order = np.random.default_rng(seed).permutation(len(rows))[:most_rows]
        shuffled = [rows[place] for place in order]
        for column in columns:
            yield _file(f"{name} {column}", shuffled, column, labels, trainer, seed=seed)


def _file(
    name: str, rows: list[dict[str, str]], column: str, labels: tuple[str, ...], trainer: Trainer, *, seed: int
) -> RecordedFile:
    texts = list(dict.fromkeys(row["text"] for row in rows))
    place = {text: index for index, text in enumerate(texts)}
    index = tuple(place[row["text"]] for row in rows)
    first = tuple(index.index(one) for one in range(len(texts)))
    pool = Pool(tuple(texts), index, first, ("text",), groups=near_duplicates.near_duplicate_groups(texts))
    by_text = {row["text"]: row for row in reversed(rows)}
    notes = [_note(at, by_text[text], column, labels) for at, text in enumerate(texts)]
    ids = [NO_LABEL if note.label is None else labels.index(note.label) for note in notes]
    evidence = evidence_of(notes, labels)
    training = trainer.fit(
        LabelledTexts(pool.texts, ids, groups=np.array(pool.groups), weigh=evidence.targets),
        labels=labels,
        seed=seed + 1,
        on_step=lambda done, total: None,
    )
    posterior = evidence.posterior(training.held_out)
    state = RoundState(
        round=1,
        asked=tuple(notes),
        annotations=tuple(notes),
        demonstrations=(),
        representatives=(),
        held_out=training.held_out,
        posterior=posterior.proba.astype(np.float32),
        clean_probability=posterior.of(np.array(ids)),
        proba=training.proba,
        embeddings=training.embeddings,
        losses=training.losses,
        metrics={},
    )
    decisions = decide_final_labels(state, labels, abstain_below=0.0)
    truth = np.array([row["label"] for row in rows], dtype=object)
    return RecordedFile(
        name, labels, pool, frame_of(pool, decisions), truth, decisions, notes, training.proba, training.student
    )


def _note(index: int, row: dict[str, str], column: str, labels: tuple[str, ...]) -> Annotation:
    label = row[f"{column}_label"] or None
    if f"{column}_p" not in row:
        status = Status.OK if label else Status.INVALID_ANSWER
        return Annotation(index, label, 1.0 if label else 0.0, (status,), 1)
    weights = np.array([float(one) for one in row[f"{column}_p"].split()]) + 1e-6
    spread = weights / weights.sum()
    return Annotation(index, label, float(spread.max()), (Status.OK,), 1, distribution=tuple(spread.tolist()))
