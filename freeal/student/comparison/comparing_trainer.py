"""A trainer of one of several students: before the first training all of them are compared, then the winner is trained.

Each candidate is trained on half of a sample and forecasts the other half, twice, in the mode it would be trained in:
an encoder that is good once it is fine-tuned may be a poor one while it is frozen.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from freeal.compute import freed_memory
from freeal.compute.listener import Listener, OnStep, PartOfSteps
from freeal.student.comparison import likelihood_choice
from freeal.student.comparison.candidates import Candidate
from freeal.student.comparison.kept_comparison import KeptComparison
from freeal.student.comparison.likelihood_choice import Forecast
from freeal.student.labelled_texts import LabelledTexts
from freeal.student.protocols import NO_LABEL, Student, Trainer, Training
from freeal.student.training.linear_probe import folds_of
from freeal.types import TFIDF

COMPARED_TEXTS = 600
"""Of the texts with a label, drawn by chance: half of them teach, half judge."""
FEWEST_TEXTS = 40
"""With fewer nothing can be told, and the first candidate is trained."""
FOLDS = 2


@dataclasses.dataclass(frozen=True, slots=True)
class Entrant:
    """A candidate with its trainer."""

    candidate: Candidate
    trainer: Trainer


class ComparingTrainer:
    """Compares `entrants` once, the first encoder of which embeds; every fit is then the winner's.

    `on_cpu`: a slower one must earn its time. With `remember_in` what is found is kept in a folder, candidate by
    candidate, and whoever compares the same again reads it there.
    """

    def __init__(self, entrants: Sequence[Entrant], *, on_cpu: bool, listener: Listener | None = None) -> None:
        self._entrants = tuple(entrants)
        self._on_cpu = on_cpu
        self._listener = listener or Listener()
        self._kept = KeptComparison(None)
        self._chosen: int | None = None
        self._record: dict[str, Any] | None = None

    @property
    def candidates(self) -> list[dict[str, str]]:
        """What is known of each before anything is compared, the same before and after."""
        return [one.trainer.description | {"name": one.candidate.name} for one in self._entrants]

    @property
    def comparison(self) -> dict[str, Any] | None:
        """The table for metrics.json; None before the first fit, and where there was too little to compare with."""
        return self._record

    @property
    def chosen_name(self) -> str | None:
        """The winner by its name in `student.model`; None before the first fit."""
        return None if self._chosen is None else self._entrants[self._chosen].candidate.name

    @property
    def description(self) -> dict[str, str]:
        """`model`, `mode` and `device` of the winner; before the first fit those of all."""
        if self._chosen is not None:
            return self._entrants[self._chosen].trainer.description
        every = [one.trainer.description for one in self._entrants]
        devices = dict.fromkeys(one["device"] for one in every)
        device = next((name for name in devices if not name.startswith("cpu")), next(iter(devices)))
        modes = dict.fromkeys(one["mode"] for one in every)
        return {"model": ", ".join(one["model"] for one in every), "mode": ", ".join(modes), "device": device}

    def remember_in(self, folder: Path, *, has_trained: bool) -> None:
        """Keep what is found below `folder`, and go on with what an earlier run of the same question left there: with
        its choice where a round `has_trained` on it for good, else where the labels are those it was made on."""
        self._kept = KeptComparison(folder)
        if has_trained and (found := self._kept.choice()) is not None:
            self._go_on_with(found)

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Embeddings of an untrained encoder, unit length, float32 [n, d]: the same whoever wins."""
        reads = (one for one in self._entrants if one.candidate.name != TFIDF)
        return next(reads, self._entrants[0]).trainer.embed(texts)

    def fit(self, data: LabelledTexts, *, labels: Sequence[str], seed: int, on_step: OnStep) -> Training:
        """Compare where that is not done, then train the winner. Raises `TrainingError` when no text has a label."""
        if self._chosen is not None:
            return self._entrants[self._chosen].trainer.fit(data, labels=labels, seed=seed, on_step=on_step)
        compared = len(self._entrants) * FOLDS
        parts = [PartOfSteps(on_step, place=place, of=compared + 1) for place in range(compared + 1)]
        chosen = self._compare_students(data, labels=labels, seed=seed, parts=parts)
        return self._entrants[chosen].trainer.fit(data, labels=labels, seed=seed, on_step=parts[-1])

    def _go_on_with(self, found: dict[str, Any]) -> int:
        names = [one.candidate.name for one in self._entrants]
        self._chosen, self._record = names.index(found["chosen"]), found["record"]
        return self._chosen

    def _compare_students(
        self, data: LabelledTexts, *, labels: Sequence[str], seed: int, parts: Sequence[OnStep]
    ) -> int:
        known = np.flatnonzero(np.asarray(data.label_ids) != NO_LABEL)
        rng = np.random.default_rng([seed, len(known)])
        rows = np.sort(rng.permutation(known)[:COMPARED_TEXTS])
        about, chosen, record = _digest(data, rows, seed), 0, None
        if (kept := self._kept.choice()) is not None and kept["about"] == about:
            return self._go_on_with(kept)
        if len(known) >= FEWEST_TEXTS:
            forecasts = [
                self._forecast_of_student(place, data, rows, about=about, labels=labels, seed=seed, parts=parts)
                for place in range(len(self._entrants))
            ]
            found = likelihood_choice.compare_by_likelihood(
                forecasts, _weigh_voices(data, rows, len(labels)), on_cpu=self._on_cpu, folds=FOLDS
            )
            chosen, record = found.chosen, found.record
            self._listener.on_notice(likelihood_choice.choice_in_words(record))
        elif len(known):
            first = self._entrants[0].candidate.name
            self._listener.on_notice(
                f"student.model: {len(known)} texts have a label, too few to compare students; {first} is trained on"
            )
        else:
            return chosen  # the training says what is wrong
        self._chosen, self._record = chosen, record
        name = self._entrants[chosen].candidate.name
        self._kept.keep_choice({"chosen": name, "record": record, "about": about})
        return chosen

    def _forecast_of_student(
        self,
        place: int,
        data: LabelledTexts,
        rows: np.ndarray,
        *,
        about: str,
        labels: Sequence[str],
        seed: int,
        parts: Sequence[OnStep],
    ) -> Forecast:
        entrant = self._entrants[place]
        if (kept := self._kept.forecast(place, about=about)) is not None:
            return kept
        ids = np.asarray(data.label_ids)[rows]
        groups = None if data.groups is None else data.groups[rows]
        halves = folds_of(ids, seed=seed, groups=groups) % FOLDS
        proba = np.full((len(rows), len(labels)), 1.0 / len(labels), dtype=np.float32)
        started, scoring, size = time.monotonic(), 0.0, entrant.candidate.size_bytes
        for half in range(FOLDS):
            inside, outside = rows[halves != half], np.flatnonzero(halves == half)
            if not len(inside) or not len(outside):
                continue  # all texts are one group: nobody can be judged
            given = dataclasses.replace(data.part(inside), judged=False)
            step = parts[place * FOLDS + half]
            student = entrant.trainer.fit(given, labels=labels, seed=seed, on_step=step).student
            began = time.monotonic()
            proba[outside] = student.predict_proba([data.texts[row] for row in rows[outside]])
            scoring += time.monotonic() - began
            size = size if size is not None else _size(student)
            del student
            freed_memory.give_back_freed_memory()
        found = Forecast(
            entrant.candidate.name,
            entrant.candidate.work,
            size or 0,
            proba,
            time.monotonic() - started,
            len(rows) / max(scoring, 1e-6),
        )
        self._kept.keep_forecast(place, found, about=about)
        return found


def _digest(data: LabelledTexts, rows: np.ndarray, seed: int) -> str:
    """Tells texts with labels from any others."""
    told = [seed, *((data.texts[row], int(data.label_ids[row])) for row in rows)]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _weigh_voices(data: LabelledTexts, rows: np.ndarray, labels: int) -> Any:
    part = data.part(rows)
    if part.weigh is not None:
        return part.weigh
    answers = np.eye(labels)[np.asarray(part.label_ids)]
    return lambda _: answers


def _size(student: Student) -> int:
    return int(getattr(student, "size_bytes", 0))
