"""The labels as a person may write them: a list of names, or names with meanings. A label is text somebody wrote."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from freeal.spec import label_tree_values
from freeal.spec.value_faults import Fault, FaultyValueError, KeyPath, value_as_written
from freeal.text import label_names
from freeal.text.invisible_characters import invisible, made_visible

Found = list[tuple[str, Any, KeyPath]]
"""Name, meaning, and where they stand."""

MOST_CHARACTERS = 200
"""Of one name: what is longer is a description, and belongs behind the name."""

_FORM = "write a list of names, [positive, negative], or a line `name: what it means` for each"
_NAME_KEYS = ("name", "label", "title", "key", "id", "value")
_CURLY = "\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb\u2039\u203a\u300c\u300d"
_CURLY_DOUBLE = "\u201c\u201d\u201e\u201f"


def read_labels(value: Any) -> Any:
    """Labels in any accepted form as name -> meaning ("" without one), names composed (NFC); of `kind: tree` as leaf
    path -> meaning.

    A list's items are names, or `name: meaning` each. Raises `FaultyValueError` for all that is wrong, with places.
    """
    if isinstance(value, label_tree_values.AsTree):
        return label_tree_values.read_label_tree(value.written, _faults_of_labels)
    found: Found
    faults: list[Fault] = []
    if isinstance(value, Mapping):
        found = [(str(name), meaning, (str(name),)) for name, meaning in value.items()]
    elif isinstance(value, list | tuple):
        found, faults = _labels_of_list(value)
    elif value is None:
        raise FaultyValueError([Fault("is empty", hint=_FORM)])
    else:
        raise FaultyValueError([Fault(f"must be a list, found {value_as_written(value)}", hint=_labels_as_list(value))])
    faults += _faults_of_labels(found)
    if not faults and len(found) < 2:
        faults.append(Fault("at least 2 labels are needed"))
    if faults:
        raise FaultyValueError(faults)
    return {label_names.composed(name): meaning or "" for name, meaning, _ in found}


def _labels_as_list(value: Any) -> str:
    parts = [
        part for part in re.split(r"\s*[,;|/\n]\s*" if isinstance(value, str) else " ", str(value).strip()) if part
    ]
    if len(parts) == 1:
        parts = parts[0].split()
    return f"write [{', '.join(parts)}]" if 2 <= len(parts) <= 20 and sum(map(len, parts)) < 200 else _FORM


def _labels_of_list(items: Sequence[Any]) -> tuple[Found, list[Fault]]:
    found: Found = []
    faults: list[Fault] = []
    for position, item in enumerate(items):
        if isinstance(item, str):
            found.append((item, "", (position,)))
        elif isinstance(item, Mapping) and len(item) == 1 and not _is_field(items, item):
            name, meaning = next(iter(item.items()))
            found.append((str(name), meaning, (position, str(name))))
        elif isinstance(item, Mapping):
            faults.append(
                Fault(f"a label is a name, found {value_as_written(dict(item))}", (position,), _label_rewritten(item))
            )
        elif item is None:
            hint = 'write its name, or remove it; a label that is called null stands in quotes: "null"'
            faults.append(Fault(f"label {position + 1} is empty", (position,), hint))
        elif isinstance(item, list | tuple):
            faults.append(Fault(f"a label is a name, found a list: {value_as_written(item)}", (position,), _FORM))
        else:  # from Python or JSON: a number, a truth value
            found.append((str(item), "", (position,)))
    return found, faults


def _is_field(items: Sequence[Any], item: Mapping[Any, Any]) -> bool:
    """Whether the one key says what its value is: `- name: positive`, and the same word in each item."""
    same = [other for other in items if isinstance(other, Mapping) and set(other) == set(item)]
    return len(same) > 1 and str(next(iter(item))).lower() in _NAME_KEYS


def _label_rewritten(item: Mapping[Any, Any]) -> str:
    by_key = {str(key).lower(): value for key, value in item.items()}
    name = next((by_key.pop(key) for key in _NAME_KEYS if isinstance(by_key.get(key), str)), None)
    meaning = next((value for value in by_key.values() if isinstance(value, str)), None)
    if name is None:
        return _FORM
    return f"write `- {name}: {meaning}`" if meaning else f"write `- {name}`"


def _faults_of_labels(found: Found) -> Iterator[Fault]:
    firsts: dict[str, str] = {}
    for name, meaning, at in found:
        if problem := _fault_of_label_name(name):
            yield Fault(problem[0], at, problem[1])
            continue
        if isinstance(meaning, Mapping | list | tuple):
            yield _fault_of_label_meaning(name, meaning, at)
        folded = "".join(label_names.folded(name).split())
        if folded in firsts:
            yield _twins(firsts[folded], name, at)
        firsts.setdefault(folded, name)


def _fault_of_label_name(name: str) -> tuple[str, str | None] | None:
    seen = made_visible(name)
    if not seen:
        return "a label has no name", "write one, or remove it"
    if name != name.strip(" "):
        return f"label {name!r} begins or ends with a space", f"write {seen}"
    if hidden := invisible(name):
        return f"label {name!r} holds what nobody sees: {', '.join(hidden)}", f"type it anew: {seen}"
    bare = seen.strip(_CURLY + "'\"").strip()
    ends = seen[0] + seen[-1]
    if bare and (all(end in _CURLY for end in ends) or any(end in _CURLY_DOUBLE for end in ends)):
        return (
            f"label {label_names.quoted(name)} stands in quotation marks that YAML takes for part of it",
            f"write {bare}",
        )
    if bare and len(seen) > 2 and ends in ("''", '""'):
        return f"label {label_names.quoted(name)} has quotation marks in its name", f"write {bare}"
    if len(name) > MOST_CHARACTERS:
        problem = f"label {label_names.quoted(name)} is {len(name):,} characters long, at most {MOST_CHARACTERS}"
        return problem, "write a short name, and the rest behind it: `name: what it means`"
    return None


def _fault_of_label_meaning(name: str, meaning: Any, at: KeyPath) -> Fault:
    problem = f"the meaning of label {name!r} must be text, found {value_as_written(meaning)}"
    if isinstance(meaning, Mapping):
        text = next((value for value in meaning.values() if isinstance(value, str)), None)
    else:
        text = ", ".join(part for part in meaning if isinstance(part, str))
    hint = f'write `{name}: "{text}"`' if text else f"write `{name}: what it means`"
    return Fault(problem, at, f"{hint}; for labels within labels write kind: tree")


def _twins(twin: str, name: str, at: KeyPath) -> Fault:
    if label_names.composed(twin) == label_names.composed(name):
        return Fault(f"label {name!r} stands twice", at, "remove one; what follows ` #` is a comment, unless in quotes")
    what = "case" if label_names.folded(twin) == label_names.folded(name) else "spaces"
    return Fault(f"labels {twin!r} and {name!r} differ only by {what}", at, "give one of them another name")
