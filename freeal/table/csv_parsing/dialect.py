"""How a table is written, as told by the spec or found in the file, and how that was found."""

from __future__ import annotations

import dataclasses
from typing import Literal

from freeal.table.file_formats import Form

DELIMITERS = (",", ";", "\t", "|")
"""What is looked for; any other character must be named under csv.delimiter."""

NEVER = "\uffff"
"""What splits a file of one column: a noncharacter, which no text contains."""

_MARKED = "byte-order mark"
Quoting = Literal["minimal", "backslash", "none", "lines"]
"""`lines`: whole lines stand in quotes, as a spreadsheet that did not know the delimiter writes them."""


@dataclasses.dataclass(frozen=True, slots=True)
class Dialect:
    """How a table is written.

    `delimiter` splits the lines (`NEVER` in a file of one column), `output_delimiter` is that of our results,
    `output_encoding` theirs: with a byte-order mark for spreadsheets.
    `spaced`: the blanks after a delimiter are no part of the values. `lines_above` the header are not read. `found`
    says in words what each finding rests on; `guessed` names those that another reading would fit as well, or nearly.
    """

    encoding: str = "utf-8"
    delimiter: str = ","
    quoting: Quoting = "minimal"
    form: Form = "csv"
    output_delimiter: str = ","
    spaced: bool = False
    lines_above: int = 0
    output_encoding: str = "utf-8"
    found: tuple[str, ...] = ()
    guessed: tuple[str, ...] = ()

    @property
    def is_of_a_spreadsheet(self) -> bool:
        """Whether this dialect is that of a spreadsheet: its code pages and marks, or the semicolons of many countries.
        It shows UTF-8 without a mark as `geprÃ¼ft`."""
        return self.form == "xlsx" or (
            self.form in ("csv", "tsv")
            and (self.encoding != "utf-8" or self.output_delimiter == ";" or any(_MARKED in one for one in self.found))
        )

    @property
    def notices(self) -> tuple[str, ...]:
        """One sentence for each thing that was guessed, for the user."""
        return tuple(
            f"how this file is written was guessed: {guess}; if that is wrong, say what is right under csv in the spec"
            for guess in self.guessed
        )
