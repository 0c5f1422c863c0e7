"""Which rows a person should look at first: `review_queue.csv`.

A look is worth most where the label is likely wrong, where few texts speak for it, and where it settles many rows.

    value  = doubt * rarity * reach
    doubt  = 1 - confidence: the probability, with all voices weighed, that the final label is wrong
    rarity = sqrt(mean texts per label / texts with this row's label), within 1 to 3
    reach  = 1 + log2(rows with this text)
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from freeal.aggregation import label_choice
from freeal.compute import scratch_arrays
from freeal.files import atomic_write
from freeal.loop.round_state import RoundState
from freeal.pool.text_pool import EMPTY, Pool
from freeal.spec.job_spec import Spec
from freeal.table import Row, Table, free_name, write_rows
from freeal.types import Decision, Demonstration, Kind, Status

MOST_TEXTS = 500
SHARE = 0.1
NEAREST = 3
RAREST = 3.0

_IS_TOLD = "the CSV holds its label"

_AS_LABELLED = "as in the labelled CSV"

REVIEW_COLUMNS = {
    "freeal_row": "the first row with the text, counted from 1 without the header",
    "freeal_rows": "how many rows have the text",
    "freeal_value": "what the look is worth",
    "freeal_why": "why it is worth one",
    "freeal_label": _AS_LABELLED,
    "freeal_confidence": _AS_LABELLED,
    "freeal_llm_label": _AS_LABELLED,
    "freeal_student_label": _AS_LABELLED,
    "freeal_clean": _AS_LABELLED,
    **{
        f"freeal_nearest_{number}": f"demonstration {number} of those most like the text, with its label"
        for number in range(1, NEAREST + 1)
    },
    "freeal_corrected": "empty: for your label, in as many rows as you like",
}
"""Our columns of review_queue.csv, in order, each in words for a user (docs/reference/columns.md)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Look:
    """A text worth a look. `index` is its pool index, `rows` how many rows of the CSV hold it; `nearest` are the
    demonstrations most like it, the nearest first."""

    index: int
    rows: int
    value: float
    why: tuple[str, ...]
    nearest: tuple[Demonstration, ...]


def review_queue(state: RoundState, pool: Pool, decisions: Sequence[Decision], kind: Kind = "single") -> list[Look]:
    """The texts worth most, at most a tenth of them and 500, by falling value; of equals the first row comes first.

    What a person has labelled already is not among them; texts whose true label the CSV holds come behind all others.
    """
    rows = Counter(index for index in pool.row_index if index != EMPTY)
    values = _review_values(pool, decisions, rows)
    unseen = np.flatnonzero([Status.CORRECTED not in note.statuses for note in state.annotations])
    known = np.zeros(len(pool), dtype=bool)
    known[sorted(_told(pool))] = True
    most = min(MOST_TEXTS, math.ceil(SHARE * len(pool)))
    order = unseen[np.lexsort((-values[unseen], known[unseen]))[:most]]
    nearest = _nearest_demonstrations(state, order)
    sizes = Counter(one.label or one.student_label for one in decisions)
    return [
        Look(
            int(index),
            rows[int(index)],
            float(values[index]),
            (
                *_reasons_to_review(state, decisions[index], int(index), rows=rows[int(index)], sizes=sizes, kind=kind),
                *((_IS_TOLD,) if known[index] else ()),
            ),
            nearest[int(index)],
        )
        for index in order
    ]


def write_review_queue(
    path: Path, queue: Sequence[Look], *, table: Table, pool: Pool, decisions: Sequence[Decision], spec: Spec
) -> None:
    """The queue with the id column and the text columns as they are in the input, and an empty column to fill in."""
    shown = [*([spec.id_column] if spec.id_column else []), *pool.text_columns]
    header = list(shown)
    for column in REVIEW_COLUMNS:
        own = "freeal_labels" if column == "freeal_label" and spec.kind == "multi" else column
        header.append(free_name(own, header))
    positions = [table.header.index(name) for name in shown]
    with atomic_write.writing(path, table.dialect.output_encoding) as stream:
        rows = _queue_rows(queue, positions, table=table, pool=pool, decisions=decisions)
        write_rows(stream, header, rows, delimiter=table.dialect.output_delimiter)


def _queue_rows(
    queue: Sequence[Look], positions: Sequence[int], *, table: Table, pool: Pool, decisions: Sequence[Decision]
) -> Iterator[Row]:
    for look in queue:
        decision = decisions[look.index]
        row = table.rows[pool.first_row[look.index]]
        nearest = [f"{demo.label}: {demo.text}" for demo in look.nearest]
        yield [
            *(row[position] for position in positions),
            str(pool.first_row[look.index] + 1),
            str(look.rows),
            f"{look.value:z.4f}",
            "; ".join(look.why),
            decision.label or "",
            f"{decision.confidence:z.4f}",
            decision.llm_label or "",
            decision.student_label,
            f"{decision.clean:z.4f}",
            *(nearest + [""] * NEAREST)[:NEAREST],
            "",
        ]


def _told(pool: Pool) -> set[int]:
    """The texts with a true label."""
    truths = pool.truth or ()
    return {index for index, truth in zip(pool.row_index, truths, strict=False) if truth is not None and index != EMPTY}


def _margins(proba: np.ndarray) -> np.ndarray:
    best = np.sort(proba, axis=1)[:, -2:]
    return np.asarray(best[:, 1] - best[:, 0])


def _review_values(pool: Pool, decisions: Sequence[Decision], rows: Counter[int]) -> np.ndarray:
    doubt = 1.0 - np.array([one.confidence for one in decisions])
    given = [one.likeliest for one in decisions]
    sizes = Counter(given)
    mean = len(given) / len(sizes)
    rarity = np.array([min(RAREST, max(1.0, math.sqrt(mean / sizes[label]))) for label in given])
    reach = 1.0 + np.log2([rows[index] for index in range(len(pool))])
    return np.asarray(doubt * rarity * reach)


def _reasons_to_review(
    state: RoundState, decision: Decision, index: int, *, rows: int, sizes: Counter[str], kind: Kind
) -> tuple[str, ...]:
    """Reasons to look at a text in so many `rows`; `sizes` are how many texts have each label."""
    note = state.annotations[index]
    reasons = []
    if Status.NOT_ASKED in note.statuses:
        reasons.append("never asked")
    elif decision.llm_label is None:
        reasons.append("no usable answer")
    elif decision.llm_label != decision.student_label:
        reasons.append("language model and student differ")
    if decision.llm_label is not None and decision.clean < 0.5:
        reasons.append("answer looks wrong")
    if _margins(label_choice.alternatives_of(state.proba[index : index + 1], kind))[0] < 0.2:
        reasons.append("student undecided")
    if decision.label is None:
        reasons.append("abstained")
    return tuple(reasons or _reasons_without_doubt(decision, rows, sizes))


def _reasons_without_doubt(decision: Decision, rows: int, sizes: Counter[str]) -> list[str]:
    """Why to look at a text in so many `rows` that nothing speaks against."""
    own = sizes[decision.label or decision.student_label]
    reasons = ["rare label"] if 2 * own <= sizes.total() / len(sizes) else []
    reasons += [f"stands in {rows} rows"] if rows > 1 else []
    return reasons or ["least sure of the rest"]


def _nearest_demonstrations(state: RoundState, order: np.ndarray) -> dict[int, tuple[Demonstration, ...]]:
    """For each text of the queue the demonstrations of the pool, shown or chosen in this round, by nearness; a text is
    never its own."""
    known = {demo.index: demo for demo in (*state.demonstrations, *state.representatives) if demo.index is not None}
    places = np.array(sorted(known), dtype=np.int64)
    found: dict[int, tuple[Demonstration, ...]] = {}
    for index in order:
        alike = scratch_arrays.widened(state.embeddings[places]) @ scratch_arrays.widened(state.embeddings[index])
        ranked = [int(place) for place in places[np.argsort(-alike, kind="stable")] if place != index]
        found[int(index)] = tuple(known[place] for place in ranked[:NEAREST])
    return found
