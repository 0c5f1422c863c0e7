"""What a person should know about how a run ended: labels nobody was given, answers that are missing for some labels.

It stands in the log, in metrics.json and run.json, in the report and on the model card: a job that ends well is looked
at no further by most.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from freeal.pool.text_pool import EMPTY, Pool
from freeal.text.joined_labels import parts
from freeal.types import Annotation, Decision, Kind, Status

_MOST_NAMED = 5
_FEWEST_UNANSWERED = 3
"""Rows of one label without an answer, from which it is said to lack them more than others do."""
_UNEVEN = 1.5
"""So much larger than the share over all rows must be that of one label."""
_NO_FAILURE = frozenset({Status.NOT_ASKED, Status.CORRECTED, Status.EMPTY_TEXT, Status.BUDGET})
"""Reasons for having no answer that are said elsewhere, or meant."""


def outcome_warnings(
    decisions: Sequence[Decision],
    annotations: Sequence[Annotation],
    pool: Pool,
    *,
    labels: Sequence[str],
    kind: Kind = "single",
) -> tuple[str, ...]:
    """Warnings about decisions and the answers behind them, both by pool index; counted in rows."""
    indices = [index for index in pool.row_index if index != EMPTY]
    never = _warn_of_labels_never_given(decisions, annotations, indices, labels, kind)
    return (*never, *_warn_of_unanswered_texts(decisions, annotations, indices))


def _warn_of_labels_never_given(
    decisions: Sequence[Decision],
    annotations: Sequence[Annotation],
    indices: Sequence[int],
    labels: Sequence[str],
    kind: Kind,
) -> Iterator[str]:
    said = {label for index in indices if (label := decisions[index].label) is not None}
    given = {name for label in said for name in parts(label, kind)}
    answered = {annotations[index].label for index in indices} - {None}
    never = [label for label in labels if label not in given]
    if never and len(answered) == 1 and len(labels) > 1:
        yield (
            f"the language model gave every text the same label, {answered.pop()!r}, so that {_named(never)} "
            "cannot be learned: say in the description and the labels' meanings what tells them apart, and look at "
            "the first prompt"
        )
    elif never:
        what = "label" if len(never) == 1 else "labels"
        yield f"{what} given to no row: {_named(never)}; the classifier has learned nothing of {_it(never)}"


def _warn_of_unanswered_texts(
    decisions: Sequence[Decision], annotations: Sequence[Annotation], indices: Sequence[int]
) -> Iterator[str]:
    lacking = [index for index in indices if _failed(annotations[index])]
    if not lacking:
        return
    reasons = Counter(str(status) for index in lacking for status in annotations[index].statuses)
    rows = Counter(decisions[index].student_label for index in indices)
    without = Counter(decisions[index].student_label for index in lacking)
    shares = [f"{label!r} {count:,} of {rows[label]:,}" for label, count in without.most_common(_MOST_NAMED)]
    said = ", ".join(f"{reason} {count:,}" for reason, count in reasons.most_common())
    overall = len(lacking) / len(indices)
    uneven = [
        label
        for label, count in without.items()
        if count >= _FEWEST_UNANSWERED and count / rows[label] > _UNEVEN * overall and len(rows) > 1
    ]
    where = f"; {_named(uneven)} lack{'s' if len(uneven) == 1 else ''} them most" if uneven else ""
    yield (
        f"{len(lacking):,} of {len(indices):,} rows have no usable answer of the language model ({said}); by the "
        f"student's label: {', '.join(shares)}{where}"
    )


def _failed(annotation: Annotation) -> bool:
    return not annotation.is_answer and not _NO_FAILURE & set(annotation.statuses)


def _named(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - _MOST_NAMED:,} more" if len(labels) > _MOST_NAMED else ""
    return ", ".join(repr(label) for label in labels[:_MOST_NAMED]) + more


def _it(labels: Sequence[str]) -> str:
    return "it" if len(labels) == 1 else "them"
