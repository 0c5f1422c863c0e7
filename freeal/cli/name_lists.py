"""Lists of names on a command line: `positive,negative` in one argument, or an argument each."""

from __future__ import annotations

import csv
from collections.abc import Sequence


def listed_names(arguments: Sequence[str]) -> list[str]:
    """The names that `arguments` list.

    One argument is a line of commas, in which a name that holds a comma stands in double quotes. Of several, each is a
    name as it stands, commas included; where all but the last end with a comma, a shell has cut up a list that was
    written with blanks, and they are that one line again.
    """
    if len(arguments) == 1 or all(one.endswith(",") for one in arguments[:-1]):
        return _split(" ".join(arguments))
    return [one.strip() for one in arguments]


def _split(line: str) -> list[str]:
    found = [name.strip() for name in next(csv.reader([line], skipinitialspace=True), [])]
    while found and not found[-1]:
        found.pop()
    return found
