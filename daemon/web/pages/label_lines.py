"""Labels as a person types them into a form, a line each, as a spec holds them."""

from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass
class _Line:
    indent: int
    name: str
    meaning: str
    below: list[_Line] = dataclasses.field(default_factory=list)

    def written(self) -> Any:
        if not self.below:
            return {self.name: self.meaning} if self.meaning else self.name
        labels = [line.written() for line in self.below]
        return {self.name: {"meaning": self.meaning, "labels": labels} if self.meaning else labels}


def names(text: str) -> list[str]:
    """Those in front of the colons."""
    return [line.name for line in _read_label_lines(text)]


def flat_labels(text: str) -> list[str] | dict[str, str]:
    """`name`, or `name: what it means`, one per line."""
    pairs = [(line.name, line.meaning) for line in _read_label_lines(text)]
    names = [name for name, _ in pairs]
    if any(meaning for _, meaning in pairs) and len(set(names)) == len(names):
        return dict(pairs)
    return names


def label_tree(text: str) -> list[Any] | dict[str, str]:
    """The same of labels within labels: a path for a name, `billing / refund`; or each branch on a line of its own, and
    what is below it indented. What is wrong with it, the reader of specs says."""
    lines = _read_label_lines(text)
    for line in lines:
        line.name = line.name.removeprefix("- ")
    if len({line.indent for line in lines}) < 2:
        return flat_labels("\n".join(one.strip().removeprefix("- ") for one in text.split("\n")))
    tops: list[_Line] = []
    above: list[_Line] = []
    for line in lines:
        while above and above[-1].indent >= line.indent:
            above.pop()
        (above[-1].below if above else tops).append(line)
        above.append(line)
    return [line.written() for line in tops]


def _read_label_lines(text: str) -> list[_Line]:
    found = []
    for line in text.expandtabs(4).split("\n"):
        if bare := line.strip():
            name, _, meaning = bare.partition(":")
            found.append(_Line(len(line) - len(line.lstrip()), name.strip(), meaning.strip()))
    return found
