"""Scoring with a trained student beside `transformers.pipeline` and sentence-transformers: rows/s, equal labels."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Sequence
from pathlib import Path

import data_sets
import numpy as np
import speed_timing
from speed_timing import Way
from speed_training import rows_of

from freeal.settings import StudentSettings
from freeal.student.encoder import locate_encoder
from freeal.student.labelled_texts import LabelledTexts
from freeal.student.model_folder import load_student
from freeal.student.trainer_factory import make_trainer

PIPELINE, OURS = "`pipeline`, batch 32", "FreeAL"
ENCODE, EMBED = "sentence-transformers `encode`", "FreeAL, embeddings"
_TRAINED_ON = 400


def measure(data: str, folder: Path, *, rows: int, copies: int, runs: int) -> dict[str, Way]:
    """Labels (or embeddings) of the same texts by every way, `runs` times in turn; every text stands there `copies`
    times, in an order of chance."""
    with tempfile.TemporaryDirectory() as place:
        student = Path(place)
        _save_student(data, folder, student)
        texts = rows_of(data, folder, split="test", rows=rows // copies, seed=0)[0] * copies
        np.random.default_rng(0).shuffle(texts)
        return speed_timing.in_turn(_ways(student, texts), range(runs))


def equal_labels(one: Way, other: Way) -> float:
    """Share of texts with the same label."""
    return float(np.mean(np.array(one.results[-1]) == np.array(other.results[-1])))


def table(found: dict[str, Way], *, rows: int, found_twice: dict[str, Way]) -> str:
    """Markdown: a line per way, of distinct texts and of texts that stand there twice."""
    lines = [
        "| way | rows/s of a processor | times its peer | equal labels | each text twice: times its peer |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, way in found.items():
        peer = ENCODE if name in (ENCODE, EMBED) else PIPELINE
        equal = f"{100 * equal_labels(way, found[peer]):.2f} %" if peer == PIPELINE else ""
        twice = speed_timing.ratio(found_twice[peer], found_twice[name])
        times = speed_timing.ratio(found[peer], way)
        lines.append(f"| {name} | {rows / way.processor:,.0f} | {times:.2f} | {equal} | {twice:.2f} |")
    return "\n".join(lines)


def _save_student(data: str, folder: Path, student: Path) -> None:
    texts, ids = rows_of(data, folder, split="train", rows=_TRAINED_ON, seed=0)
    trainer = make_trainer(StudentSettings(model="minilm", mode="frozen", device="cpu"), texts=len(texts))
    names = tuple(data_sets.DATA_SETS[data].labels)
    fitted = trainer.fit(LabelledTexts(texts, ids.tolist()), labels=names, seed=0, on_step=lambda *_: None)
    fitted.student.save(student)


def _ways(student: Path, texts: Sequence[str]) -> dict[str, object]:
    from transformers import pipeline

    ours = load_student.load(student)
    pipe = pipeline("text-classification", str(student), batch_size=32, device="cpu")
    names = list(ours.labels)
    for warm_up in (lambda: ours.predict_proba(texts[:64]), lambda: pipe(list(texts[:64]), truncation=True)):
        warm_up()
    ways: dict[str, object] = {
        PIPELINE: lambda _: [names.index(one["label"]) for one in pipe(list(texts), truncation=True)],
        OURS: lambda _: ours.predict_proba(texts).argmax(axis=1).tolist(),
    }
    if importlib.util.find_spec("sentence_transformers") is not None:
        from sentence_transformers import SentenceTransformer

        encoder = SentenceTransformer(str(locate_encoder.resolve_weights(locate_encoder.PACKAGED).folder), device="cpu")
        encoder.max_seq_length = 128
        ways[ENCODE] = lambda _: encoder.encode(list(texts), show_progress_bar=False)
        ways[EMBED] = lambda _: ours.embed(texts)
    return ways
