"""What a person's labels did, for the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from freeal.report.number_format import count
from freeal.report.report_data import Facts, Table
from freeal.results import metrics_as_text

MOST_MOVES = 30


def facts(metrics: Mapping[str, Any]) -> Facts:
    """How many, what they changed and how right the labels were before; nothing without any."""
    return tuple(metrics_as_text.corrections_in_words(metrics.get("corrections")))


def how_to_read_corrections(metrics: Mapping[str, Any]) -> str:
    """How the figures beside them are to be read."""
    if "corrections" not in metrics:
        return ""
    return (
        "Texts that a person labelled count for the final labels and not for the models. How often the labels before "
        "were right about them says little of the other rows: they were looked at because there was doubt."
    )


def labels_changed_by_corrections(metrics: Mapping[str, Any]) -> Table | None:
    """Rows that nobody corrected and whose label changed, by label; None where none did."""
    labels = metrics.get("corrections", {}).get("flipped", {}).get("labels", {})
    if not labels:
        return None
    rows = tuple((label, count(one["gained"]), count(one["lost"])) for label, one in labels.items())
    columns = ("label", "rows gained", "rows lost")
    return Table("Rows nobody corrected, with another label now", columns, rows, frozenset({1, 2}))


def moves_since_corrections(metrics: Mapping[str, Any]) -> Table | None:
    """From which label to which they went, the most first; None where none did."""
    found = metrics.get("corrections", {}).get("flipped", {}).get("moves", [])
    if not found:
        return None
    rows = tuple((one["from"], one["to"], count(one["rows"])) for one in found[:MOST_MOVES])
    note = _label_changes_in_words(metrics.get("label_changes"))
    return Table("Moves since the version before", ("from", "to", "rows"), rows, frozenset({2}), note)


def _label_changes_in_words(changes: Mapping[str, Any] | None) -> str:
    if changes is None:
        return ""
    parts = [f"{old} is called {new}" for old, new in changes["moved"].items()]
    parts += [f"{old} was split into {' and '.join(new)}" for old, new in changes["split"].items()]
    parts += [f"{word}: {', '.join(changes[word])}" for word in ("added", "removed", "redefined") if changes[word]]
    return f"Labels: {'; '.join(parts)}. {count(changes['asked'])} texts were asked, {count(changes['kept'])} kept."
