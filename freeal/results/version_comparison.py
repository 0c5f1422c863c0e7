"""Two versions of a model side by side: what was measured of each, label shares, settings that differ. Light: reads
their metrics.json and run.json. Which rows moved, the row index tells (freeal/row_index)."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from freeal.errors import CorruptModelError, Where
from freeal.results.metrics_as_text import read_metrics

V = TypeVar("V")
NOT_SAID = "-"
_OF_NO_INTEREST = frozenset({"force", "pilot", "name"})
"""Keys of a spec that change no result."""


@dataclasses.dataclass(frozen=True, slots=True)
class Figure:
    """A measured share, 0 to 1, its interval of 95 % where there is one, and how many rows it was measured on."""

    value: float
    interval: tuple[float, float] | None = None
    rows: int | None = None

    def __str__(self) -> str:
        around = "" if self.interval is None else f" ({self.interval[0] * 100:.1f} to {self.interval[1] * 100:.1f})"
        return f"{self.value * 100:.1f} %{around}" + ("" if self.rows is None else f", {self.rows:,} rows")


@dataclasses.dataclass(frozen=True, slots=True)
class Comparison:
    """`before` and `after` are the versions' names. In each line the former comes first: `measured` holds what was
    measured of one of them at least (None: not of this one), `shares` label and rows (None: no such label), `settings`
    key and values as text, of those that differ."""

    before: str
    after: str
    measured: tuple[tuple[str, Figure | None, Figure | None], ...]
    shares: tuple[tuple[str, int | None, int | None], ...]
    rows: tuple[int, int]
    settings: tuple[tuple[str, str, str], ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "before": self.before,
            "after": self.after,
            "rows": {"before": self.rows[0], "after": self.rows[1]},
            "measured": {
                what: {
                    "before": None if one is None else dataclasses.asdict(one),
                    "after": None if other is None else dataclasses.asdict(other),
                }
                for what, one, other in self.measured
            },
            "label_counts": {label: {"before": one, "after": other} for label, one, other in self.shares},
            "settings": {key: {"before": one, "after": other} for key, one, other in self.settings},
        }


def compare_versions(before: Path, after: Path) -> Comparison:
    """Of two folders of versions. Raises `CorruptModelError`."""
    one, other = read_metrics(before), read_metrics(after)
    try:
        figures = _measured_figures(one), _measured_figures(other)
        counts = one["final"]["label_counts"], other["final"]["label_counts"]
        told = _settings_of_version(before, one), _settings_of_version(after, other)
        return Comparison(
            str(one.get("job", before.name)),
            str(other.get("job", after.name)),
            tuple(_beside(*figures)),
            tuple(_beside(*counts)),
            (int(one["rows"]), int(other["rows"])),
            tuple((key, was or NOT_SAID, now or NOT_SAID) for key, was, now in _beside(*told) if was != now),
        )
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration) as cause:
        problem = f"the figures of one of the versions make no sense: {cause!r}"
        raise CorruptModelError(problem, where=Where(file=after)) from cause


def _beside(one: Mapping[str, V], other: Mapping[str, V]) -> Iterator[tuple[str, V | None, V | None]]:
    for key in dict.fromkeys([*one, *other]):
        yield key, one.get(key), other.get(key)


def _measured_figures(metrics: Mapping[str, Any]) -> dict[str, Figure]:
    """What was compared with truth or looked at by a person, and nothing else."""
    final, found = metrics["final"], dict[str, Figure]()
    certified = metrics.get("certified") or {}
    for what, key in (("final labels, certified", "labels"), ("student alone, certified", "student")):
        one = certified.get(key, {})
        if "withdrawn" not in certified and "accuracy" in one:
            found[what] = Figure(one["accuracy"], _pair(one.get("interval")), one.get("looked_at"))
    parts = {
        "final labels, nobody corrected": final.get("uncorrected", {}),
        "final labels": final,
        "never demonstrations": final.get("holdout", {}),
    }
    for what, one in parts.items():
        if "accuracy" in one:
            found[what] = Figure(one["accuracy"], _pair(one.get("accuracy_interval")), one.get("evaluated_rows"))
    kept = next(entry for entry in metrics["rounds"] if entry["round"] == metrics["kept_round"])
    for what, value in {
        "student": kept.get("student_accuracy"),
        "language model": kept.get("llm_accuracy"),
        "language model, zero-shot": metrics["baselines"].get("llm_zero_shot"),
        "final labels, macro F1": final.get("macro_f1"),
    }.items():
        if value is not None:
            found[what] = Figure(value)
    return found


def _pair(interval: Sequence[float] | None) -> tuple[float, float] | None:
    return None if interval is None else (float(interval[0]), float(interval[1]))


def _settings_of_version(version: Path, metrics: Mapping[str, Any]) -> dict[str, str]:
    """Dotted key -> value as text: who labelled and learned, the spec, the settings of the run."""
    found = {
        "language model": f"{metrics['llm']['provider']}/{metrics['llm']['model']}",
        "student": f"{metrics['student']['model']}, {metrics['student']['mode']}",
    }
    try:
        record = json.loads((version / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return found  # a version without it is compared by its figures
    spec = {key: value for key, value in record.get("spec", {}).items() if key not in _OF_NO_INTEREST}
    return found | dict(_flat_settings("", spec)) | dict(_flat_settings("", record.get("settings", {})))


def _flat_settings(key: str, value: Any) -> list[tuple[str, str]]:
    """The settings of a version as (key, value in words), for the comparison with another."""
    if isinstance(value, dict) and value:
        return [
            one for name, inner in value.items() for one in _flat_settings(f"{key}.{name}" if key else str(name), inner)
        ]
    if value in (None, "", [], {}):
        return [(key, NOT_SAID)]
    return [(key, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))]
