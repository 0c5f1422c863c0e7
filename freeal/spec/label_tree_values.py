"""Labels within labels as a person may write them: nested, or as paths; read to leaf path -> meaning."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationInfo

from freeal.spec.value_faults import Fault, FaultyValueError, KeyPath, value_as_written
from freeal.text import label_names, label_paths

MOST_LEVELS = 8

FORM = (
    "write `billing: {refund: wants money back, late: has not come}` for each, or a list of paths, "
    "[billing / refund, billing / late]"
)
_MEANING, _LABELS = "meaning", "labels"
_PARENT = "parent"
"""How trees are written elsewhere, each label naming what is above it."""
_BETWEEN = re.compile(r"\s+/\s+")


def _of_a_tree(share: float, info: ValidationInfo) -> float:
    if info.data.get("kind") not in ("tree", None):  # None: it is itself wrong, which is then said
        raise ValueError("is for labels within labels, kind: tree")
    return share


BackOff = Annotated[float, Field(gt=0.0, le=1.0), AfterValidator(_of_a_tree)]
BACK_OFF = Field(
    label_paths.BACK_OFF,
    exclude_if=lambda share: share == label_paths.BACK_OFF,
    description="with `kind: tree`, above 0 to 1: how probable a node must be, with all below it, for `freeal_node` "
    "to name it (docs/how-to/label-tree.md)",
)


@dataclasses.dataclass(frozen=True, slots=True)
class AsTree:
    """Labels that are to be read as a tree, as they were written."""

    written: Any


def marked(document: Any) -> Any:
    """A spec's document; where its `kind` is `tree`, its labels say so themselves, to whoever reads them alone."""
    if isinstance(document, Mapping) and document.get("kind") == "tree" and "labels" in document:
        return {**document, "labels": AsTree(document["labels"])}
    return document


Entry = tuple[str, Any, KeyPath]
"""A name, what stands behind it, and where."""
FindFaults = Callable[[list[Entry]], Iterable[Fault]]
"""What finds fault with the names under one parent."""


def read_label_tree(value: Any, faults_in: FindFaults) -> dict[str, str]:
    """Leaf path -> meaning ("" without one); what a branch means stands behind the meaning of each of its leaves.

    Raises `FaultyValueError` for all that is wrong, with places.
    """
    reader = _Reader(faults_in)
    entries = reader.entries(value, ())
    nested = any(_is_inner(inside) for _, inside, _ in entries)
    leaves = reader.nested(entries, (), "") if nested else reader.paths(entries)
    faults = reader.faults or [*_too_few(leaves)]
    if faults:
        raise FaultyValueError(faults)
    return leaves


class _Reader:
    """Reads a tree, and keeps what is wrong with it."""

    def __init__(self, faults_in: FindFaults) -> None:
        self._faults_in = faults_in
        self.faults: list[Fault] = []

    def entries(self, value: Any, at: KeyPath) -> list[Entry]:
        """Of a mapping, or of a list of names and `name: ...` each."""
        if isinstance(value, Mapping):
            return [(str(name), inside, (*at, str(name))) for name, inside in value.items()]
        if not isinstance(value, list | tuple):
            self._fault("is empty" if value is None else f"must be a tree, found {value_as_written(value)}", at, FORM)
            return []
        found = []
        for position, item in enumerate(value):
            if isinstance(item, Mapping) and len(item) == 1:
                name, inside = next(iter(item.items()))
                found.append((str(name), inside, (*at, position, str(name))))
            elif item is None or _is_inner(item):
                self._fault(f"a label is a name, found {value_as_written(item)}", (*at, position), FORM)
            else:
                found.append((str(item), None, (*at, position)))
        return found

    def nested(self, entries: Sequence[Entry], above: tuple[str, ...], meaning_above: str) -> dict[str, str]:
        """The leaves below one node, whose names are `above`."""
        self.faults += self._faults_in([(name, None, at) for name, _, at in entries])
        leaves: dict[str, str] = {}
        for name, inside, at in entries:
            names = (*above, label_names.composed(name))
            if _holds_separator(name):
                problem = f"the name {name!r} holds {label_paths.SEPARATOR!r}, which stands between levels of a path"
                self._fault(problem, at, f"write {_BETWEEN.sub('/', name).strip()}, or nest what is behind it")
            elif len(names) > MOST_LEVELS:
                self._fault(f"is nested more than {MOST_LEVELS} deep, or within itself", at, "write fewer levels")
            elif _is_inner(inside):
                leaves |= self._leaves_of_branch(name, inside, at, names, meaning_above)
            else:
                leaves[label_paths.joined(names)] = self._meaning(inside, meaning_above, at)
        return leaves

    def _leaves_of_branch(
        self, name: str, inside: Any, at: KeyPath, names: tuple[str, ...], meaning_above: str
    ) -> dict[str, str]:
        """`{meaning: ..., labels: ...}`, or the labels alone."""
        own = None
        if isinstance(inside, Mapping) and set(inside) == {_MEANING, _LABELS} and _is_inner(inside[_LABELS]):
            own, inside, at = inside[_MEANING], inside[_LABELS], (*at, _LABELS)
        elif isinstance(inside, Mapping) and set(inside) == {_PARENT} and not _is_inner(inside[_PARENT]):
            hint = f"write what is above outside: `{inside[_PARENT]}: {{{name}: what it means}}`"
            self._fault(f"the label {name!r} names its parent", (*at, _PARENT), hint)
            return {}
        if not inside:
            hint = "write its labels below it, or leave the value out: then it is a label itself"
            self._fault(f"the branch {name!r} holds no label", at, hint)
        return self.nested(self.entries(inside, at), names, self._meaning(own, meaning_above, at))

    def _meaning(self, own: Any, above: str, at: KeyPath) -> str:
        if _is_inner(own):
            self._fault(f"a meaning must be text, found {value_as_written(own)}", at, "write it in quotes")
        return "; ".join(text for text in ("" if own is None else str(own), above) if text)

    def paths(self, entries: Sequence[Entry]) -> dict[str, str]:
        """The leaves of a flat list or mapping, whose names are paths."""
        leaves: dict[str, str] = {}
        places: dict[str, KeyPath] = {}
        siblings: dict[tuple[str, ...], dict[str, KeyPath]] = {}
        for path, inside, at in entries:
            names = tuple(label_names.composed(name) for name in _BETWEEN.split(path))
            leaf = label_paths.joined(names)
            if any(not name.strip() or _holds_separator(name) for name in names):
                self._fault(f"the path {path!r} has a level without a name", at, "write `billing / refund`")
                continue
            if len(names) > MOST_LEVELS:
                self._fault(f"the path {path!r} has more than {MOST_LEVELS} levels", at, "write fewer levels")
            if leaf in leaves:
                self._fault(f"label {leaf!r} stands twice", at, "remove one")
            leaves[leaf], places[leaf] = self._meaning(inside, "", at), at
            for depth, name in enumerate(names):
                siblings.setdefault(names[:depth], {}).setdefault(name, at)
        inner = set(label_paths.branches(list(leaves)))
        for leaf in leaves.keys() & inner:
            hint = f"write {leaf} / other for texts that fit none of those, or leave the line out"
            self._fault(f"{leaf!r} is a label and has labels below it", places[leaf], hint)
        for below in siblings.values():
            self.faults += self._faults_in([(name, None, at) for name, at in below.items()])
        if leaves and not inner and not self.faults:
            self._fault_of_no_levels(leaves)
        return leaves

    def _fault_of_no_levels(self, leaves: Mapping[str, str]) -> None:
        if slashed := next((name for name in leaves if "/" in name), None):
            hint = f"a blank stands on both sides of it: {re.sub(r' */ *', label_paths.SEPARATOR, slashed)}"
            self._fault(f"no label lies within another, but {slashed!r} holds a /", (), hint)
        else:
            self._fault("no label lies within another", (), f"leave kind: tree out; or {FORM}")

    def _fault(self, problem: str, at: KeyPath, hint: str) -> None:
        self.faults.append(Fault(problem, at, hint))


def _is_inner(value: Any) -> bool:
    return isinstance(value, Mapping | list | tuple)


def _holds_separator(name: str) -> bool:
    """Also at its ends, where a path would then be read otherwise."""
    return label_paths.SEPARATOR in f" {name} "


def _too_few(leaves: Mapping[str, str]) -> Iterator[Fault]:
    if len(leaves) < 2:
        said = f"there is one only, {next(iter(leaves))!r}" if leaves else "there is none"
        yield Fault(f"at least 2 labels without others below them are needed: {said}", (), FORM)
