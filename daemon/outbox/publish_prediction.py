"""Publishing a labelled table: predictions/<stem>.csv, or .parquet, and beside it <stem>.json with counts, confidence,
model version.

A newer result of the same name takes the name; the one before is kept as <stem>.<its prediction's id>, with
its endings.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

from daemon.config import Settings
from daemon.host import clock, disk_errors
from daemon.outbox import durable_file_moves
from daemon.outbox.model_shelf import Shelf
from freeal.errors import ConfigError, Where
from freeal.files import atomic_write, regular_file

FACTS_BYTES = 5_000_000
ROWS_ENDINGS = (".csv", ".parquet")
"""What a labelled table may be published as."""


def require_prediction_output(settings: Settings) -> None:
    """Raises `ConfigError` where what predictions are to be published as cannot be written here."""
    if settings.predict.output == "parquet" and importlib.util.find_spec("pyarrow") is None:
        raise ConfigError(
            "what writes Parquet is not installed",
            where=Where(key="predict.output"),
            hint="pip install 'freeal-daemon[parquet]', or set it to csv",
        )


def publish_prediction(shelf: Shelf, labelled: Path, summary: dict[str, Any], *, stem: str, prediction_id: str) -> Path:
    """Move `labelled` to its place, with `summary` beside it, and the same rows as a workbook where there is one; where
    it lies then. May be repeated after a crash. Raises `ResourceError` where `predictions/` is no folder of ours."""
    with disk_errors.waiting_for_folder("the result cannot be put in predictions/"):
        folder = durable_file_moves.make_own_folder(shelf.folder / "predictions")
    rows, book, facts = (folder / f"{stem}{ending}" for ending in (labelled.suffix, ".xlsx", ".json"))
    of_stem = [folder / f"{stem}{ending}" for ending in ROWS_ENDINGS]
    earlier = _published_prediction_id(next((path for path in of_stem if path.exists()), rows), facts)
    if earlier is not None and earlier != prediction_id:
        for path in (*of_stem, book, facts):  # the facts last: they say whose the rows are, should this be cut off
            if path.exists():
                durable_file_moves.move(path, _free_name(path.with_name(f"{stem}.{earlier}{path.suffix}")))
    atomic_write.write_json(facts, summary | {"prediction": prediction_id})
    if (workbook := labelled.with_suffix(".xlsx")).is_file():
        durable_file_moves.move(workbook, book)
    durable_file_moves.move(labelled, rows)
    for path in of_stem:
        if path != rows:  # its own, published in another form just before a crash
            path.unlink(missing_ok=True)
    return rows


def rows_of_published_prediction(shelf: Shelf, prediction_id: str) -> int | None:
    """How many rows a published prediction labelled; None where its facts are no longer those on top."""
    for facts in sorted((shelf.folder / "predictions").glob("*.json")):
        try:
            content = json.loads(facts.read_text(encoding="utf-8"))
            if content["prediction"] == prediction_id:
                return int(content["rows"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None


def _published_prediction_id(rows: Path, facts: Path) -> str | None:
    try:
        found = json.loads(regular_file.read(facts, most_bytes=FACTS_BYTES, links="refuse"))["prediction"]
        return found if isinstance(found, str) and Path(found).name == found else _age(rows)
    except FileNotFoundError:
        return _age(rows) if rows.exists() else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):  # not one of ours: a pipe, a link, nonsense
        return _age(rows)


def _age(rows: Path) -> str | None:
    """For a file that no prediction of ours wrote down: its time."""
    return clock.stamp(rows.stat().st_mtime) if rows.exists() else None


def _free_name(path: Path) -> Path:
    number, found = 2, path
    while found.exists():
        found = path.with_name(f"{path.stem}_{number}{path.suffix}")
        number += 1
    return found
