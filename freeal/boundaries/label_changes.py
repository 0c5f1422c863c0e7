"""A model's labels against those of its last version: what was renamed, merged, split, added, removed and redefined,
and what the earlier answers say under the new labels.

A label that is gone and one that is new with the very same meaning are one label renamed. Anything else that is not to
be guessed a spec says under `label_changes`: old name -> new name (of several: merged), or a list of new ones (split).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from freeal.types import Annotation, Decision, Demonstration


@dataclasses.dataclass(frozen=True, slots=True)
class LabelChanges:
    """`moved` leads from each earlier name that changed to its name now, `split` to several. `redefined` are names of
    now."""

    moved: Mapping[str, str]
    split: Mapping[str, tuple[str, ...]]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    redefined: tuple[str, ...]

    @property
    def is_nothing(self) -> bool:
        """Whether the labels are what they were."""
        return not (self.moved or self.split or self.added or self.removed or self.redefined)

    def now(self, label: str | None) -> str | None:
        """What an earlier label is called; None where there is no one label for it any more."""
        if label is None or label in self.removed or label in self.split:
            return None
        return self.moved.get(label, label)

    def as_dict(self) -> dict[str, Any]:
        """For metrics.json."""
        return {
            "moved": dict(self.moved),
            "split": {old: list(new) for old, new in self.split.items()},
            "added": list(self.added),
            "removed": list(self.removed),
            "redefined": list(self.redefined),
        }

    def changes_in_words(self) -> str:
        """`billing is called money; added: refund`."""
        merged = {new for new in self.moved.values() if list(self.moved.values()).count(new) > 1}
        parts = [f"{old} is called {new}" for old, new in self.moved.items() if new not in merged]
        parts += [
            f"{' and '.join(old for old, name in self.moved.items() if name == new)} became {new}"
            for new in sorted(merged)
        ]
        parts += [f"{old} was split into {' and '.join(new)}" for old, new in self.split.items()]
        for word in ("added", "removed", "redefined"):
            if names := getattr(self, word):
                parts.append(f"{word}: {', '.join(names)}")
        return "; ".join(parts)


def find_label_changes(
    before: Mapping[str, str], after: Mapping[str, str], told: Mapping[str, Sequence[str]] | None = None
) -> LabelChanges:
    """The changes from one label set (name -> meaning) to another. `told` leads from old names to new ones; of it only
    what concerns `before` counts, so that it may stay in a spec."""
    named = {old: tuple(new) for old, new in (told or {}).items() if old in before}
    moved = {old: new[0] for old, new in named.items() if len(new) == 1 and new[0] != old}
    split = {old: new for old, new in named.items() if len(new) > 1}
    gone = [name for name in before if name not in after and name not in named]
    fresh = [name for name in after if name not in before and all(name not in new for new in named.values())]
    for old in gone:
        same = [name for name in fresh if before[old] and after[name] == before[old]]
        if len(same) == 1 and [one for one in gone if before[one] == before[old]] == [old]:
            moved[old] = same[0]
    removed = tuple(old for old in gone if old not in moved)
    added = tuple(name for name in fresh if name not in moved.values())
    merged = {new for new in moved.values() if new in before or list(moved.values()).count(new) > 1}
    redefined = [
        name
        for name, meaning in after.items()
        if name in before and name not in split and name not in merged and before[name] != meaning
    ]
    redefined += [new for old, new in moved.items() if new not in merged and after[new] != before[old]]
    return LabelChanges(moved, split, added, removed, tuple(redefined))


def annotation_now(
    note: Annotation, changes: LabelChanges, *, before: Sequence[str], after: Sequence[str], is_open: bool
) -> Annotation:
    """An earlier answer under the labels of now. One that is asked for again keeps no probabilities: it gives way to
    the new answer, and stays where none comes."""
    label = changes.now(note.label)
    others = dict.fromkeys(name for one in note.alternatives if (name := changes.now(one)) and name != label)
    distribution = None
    if note.distribution is not None and not is_open and label is not None:
        mass = dict.fromkeys(after, 0.0)
        for name, share in zip(before, note.distribution, strict=True):
            if (now := changes.now(name)) is not None:
                mass[now] += share
        total = sum(mass.values())
        distribution = tuple(share / total for share in mass.values()) if total > 0.0 else None
    earlier = tuple(name for one in note.earlier if (name := changes.now(one)) is not None)
    return dataclasses.replace(
        note, label=label, alternatives=tuple(others), earlier=earlier, distribution=distribution
    )


def decision_now(one: Decision, changes: LabelChanges) -> Decision:
    """An earlier outcome with the names of now; labels that are gone keep theirs, so that it can be said what moved."""
    moved = changes.moved
    return dataclasses.replace(
        one,
        label=moved.get(one.label, one.label) if one.label else None,
        llm_label=moved.get(one.llm_label, one.llm_label) if one.llm_label else None,
        student_label=moved.get(one.student_label, one.student_label),
    )


def demonstrations_now(
    demonstrations: Sequence[Demonstration], changes: LabelChanges, *, open_texts: frozenset[int]
) -> list[Demonstration]:
    """Those that still show what their label means."""
    kept = []
    for demo in demonstrations:
        label = changes.now(demo.label)
        if label is not None and label not in changes.redefined and demo.index not in open_texts:
            kept.append(dataclasses.replace(demo, label=label))
    return kept
