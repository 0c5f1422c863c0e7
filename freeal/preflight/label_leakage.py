"""True labels that stand in the text: the models would read what they are to find out.

Nothing is refused for it: a column may name its label by right. But an accuracy measured with it means nothing, so it
is said loudly.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from freeal.pool.text_pool import Pool
from freeal.spec.job_spec import Spec
from freeal.table import Row, Table
from freeal.text.label_names import folded

_LOOKED_AT = 2_000
"""Rows, evenly spread over the table: enough to tell almost all from many, also for thousands of columns."""
_FEWEST = 20
"""Rows needed for a claim; for values that merely go with the truth, distinct from one row to the next by chance."""
_ALMOST_ALL = 0.95
_LONGEST = 200
"""Characters of a cell that are compared: what is longer is no label."""


def label_leaks(table: Table, pool: Pool, spec: Spec) -> Iterator[str]:
    """A warning for each text column that tells the true label, or looks like a column of true labels."""
    rows = range(0, len(table.rows), -(-len(table.rows) // _LOOKED_AT))
    for column in pool.text_columns:
        position = table.header.index(column)
        if pool.truth is None:
            yield from _looks_like_truth([table.rows[row] for row in rows], position, column, spec)
            continue
        found = ((folded(table.rows[row][position][:_LONGEST]), pool.truth[row]) for row in rows)
        pairs = [(value, truth) for value, truth in found if value and truth is not None]
        yield from _tells_truth(pairs, column, spec)


def _looks_like_truth(rows: list[Row], position: int, column: str, spec: Spec) -> Iterator[str]:
    names = {folded(name) for name in spec.labels}
    values = [value for row in rows if (value := folded(row[position][:_LONGEST]))]
    if len(values) >= _FEWEST and sum(value in names for value in values) >= _ALMOST_ALL * len(values):
        yield (
            f"column {column!r} is read as text and holds nothing but names of labels: if these are true labels, name "
            "it as label_column, or the models will copy them"
        )


def _tells_truth(pairs: list[tuple[str, str]], column: str, spec: Spec) -> Iterator[str]:
    truths = Counter(truth for _, truth in pairs)
    if len(pairs) < _FEWEST or len(truths) < 2:
        return
    same = sum(value == folded(truth) for value, truth in pairs)
    if same >= _ALMOST_ALL * len(pairs):
        yield (
            f"column {column!r} is read as text and holds the true label in {same / len(pairs):.0%} of the rows: the "
            "models will copy it, and the accuracy measured with it means nothing; take it out of text_columns"
        )
        return
    by_value: dict[str, Counter[str]] = {}
    for value, truth in pairs:
        by_value.setdefault(value, Counter())[truth] += 1
    told = sum(max(counts.values()) for counts in by_value.values())
    few = len(by_value) <= min(4 * len(spec.labels), len(pairs) // 10)
    # a frequent label is guessed right without any column: that is no telling
    if few and told >= _ALMOST_ALL * len(pairs) > max(truths.values()):
        yield (
            f"column {column!r} is read as text and its {len(by_value)} values go with the true label in "
            f"{told / len(pairs):.0%} of the rows: if it was made from the labels, take it out of text_columns"
        )
