"""What a comparison of students leaves on disk, candidate by candidate: a job that is killed does none of it twice."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from freeal.files import atomic_write
from freeal.student.comparison.likelihood_choice import Forecast

FOLDER = "comparison"


class KeptComparison:
    """Files below `folder`, which belongs to one question (freeal/loop/round_store.py); None: nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = None if folder is None else folder / FOLDER

    def choice(self) -> dict[str, Any] | None:
        """What `keep_choice` was given, or None."""
        if self._folder is None or not (path := self._folder / "choice.json").exists():
            return None
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found

    def keep_choice(self, choice: dict[str, Any]) -> None:
        """Keep which one was chosen, why, and about what."""
        if folder := self._made():
            atomic_write.write_json(folder / "choice.json", choice)

    def forecast(self, place: int, *, about: str) -> Forecast | None:
        """What the candidate at `place` said `about` some texts and labels, or None where that is not known yet."""
        if self._folder is None or not (path := self._folder / f"{place}.npz").exists():
            return None
        with np.load(path, allow_pickle=False) as arrays:
            told = json.loads(str(arrays["told"]))
            # with a cap that was raised since, more texts have a label
            return Forecast(**told, proba=arrays["proba"]) if str(arrays["about"]) == about else None

    def keep_forecast(self, place: int, forecast: Forecast, *, about: str) -> None:
        """Keep what the candidate at `place` said."""
        if folder := self._made():
            told = {key: value for key, value in dataclasses.asdict(forecast).items() if key != "proba"}
            packed = io.BytesIO()
            texts = {"told": np.array(json.dumps(told)), "about": np.array(about)}
            np.savez(packed, allow_pickle=False, proba=forecast.proba, **texts)
            with atomic_write.replacing(folder / f"{place}.npz") as stream:
                stream.write(packed.getvalue())

    def _made(self) -> Path | None:
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder
