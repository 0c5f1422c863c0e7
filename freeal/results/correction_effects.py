"""What a person's labels changed: the `corrections` part of metrics.json."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from freeal.corrections import corrections_file
from freeal.evaluation.confidence_intervals import wilson
from freeal.pool.text_pool import EMPTY, Pool
from freeal.results.previous_version import Earlier
from freeal.types import Decision, Status


def effects_of_corrections_kept(confirmed: Mapping[int, str], pool: Pool) -> dict[str, Any]:
    """For a run that nobody corrected anything for: what was said about earlier versions holds."""
    return {"rows": corrections_file.rows_with(confirmed, pool), "texts": len(confirmed), "kept": len(confirmed)}


def effects_of_corrections_made(
    given: Mapping[int, str],
    confirmed: Mapping[int, str],
    pool: Pool,
    decisions: Sequence[Decision],
    earlier: Earlier,
) -> dict[str, Any]:
    """For a run with corrections: `given` are those of its file, `confirmed` all that hold (pool index -> label).

    `compared` counts the given texts that had a label of the models, `agreed` those whose label it was; the models were
    right about these to that share, and about the others nothing is said: a person looks where there is doubt.
    """
    before = {index: label for index, label in enumerate(earlier.labels) if label is not None}
    ours = {note.index for note in earlier.annotations if Status.CORRECTED not in note.statuses} & before.keys()
    compared = [index for index in given if index in ours]
    agreed = sum(given[index] == before[index] for index in compared)
    found = effects_of_corrections_kept(confirmed, pool) | {
        "kept": len(confirmed.keys() - given.keys()),
        "given": len(given),
        "changed": sum(index in before and before[index] != label for index, label in given.items()),
        "added": sum(index >= len(earlier.pool) for index in given),
        "compared": len(compared),
        "agreed": agreed,
        "flipped": _flipped_labels(pool, decisions, confirmed, before),
    }
    if compared:
        found["agreed_interval"] = [round(end, 4) for end in wilson(agreed, len(compared))]
    return found


def _flipped_labels(
    pool: Pool, decisions: Sequence[Decision], confirmed: Mapping[int, str], before: Mapping[int, str]
) -> dict[str, Any]:
    """Rows that nobody corrected and whose final label is another one now, with what each label gained and lost."""
    gained: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    moves: Counter[tuple[str, str]] = Counter()
    for index in pool.row_index:
        if index == EMPTY or index in confirmed or index not in before:
            continue
        now = decisions[index].label
        if now is not None and now != before[index]:
            gained[now] += 1
            moves[before[index], now] += 1
            lost[before[index]] += 1
    labels = sorted(gained.keys() | lost.keys())
    return {
        "rows": gained.total(),
        "moves": [{"from": old, "to": new, "rows": rows} for (old, new), rows in moves.most_common()],
        "labels": {label: {"gained": gained[label], "lost": lost[label]} for label in labels},
    }
