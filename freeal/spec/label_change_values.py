"""`label_changes` of a spec as a person may write them: old name to new name, or to a list of new names."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationInfo

from freeal.text.closest_name import nearest

Changes = dict[str, tuple[str, ...]]


def as_lists(value: Any) -> Any:
    """`old: new` is `old: [new]`."""
    if not isinstance(value, dict):
        return value
    return {str(old): [new] if isinstance(new, str) else new for old, new in value.items()}


def changes_of_the_labels(changes: Changes, info: ValidationInfo) -> Changes:
    """The changes; raises `ValueError` for a new name that the spec does not know, or none at all."""
    labels = info.data.get("labels")  # absent where it is itself wrong, which is then said
    for old, names in changes.items():
        if not names:
            raise ValueError(f"{old!r} became no label; leave it out of labels and of label_changes")
        for name in names:
            if labels is not None and name not in labels:
                guess = nearest(name, labels)
                said = f"; did you mean {guess!r}?" if guess else ""
                raise ValueError(f"{old!r} became {name!r}, which is none of the labels{said}")
    return changes
