"""Records to rows, by one rule: a row has as many values as the header has names, and is never shifted.

- Values beyond the header are dropped where they are empty (Excel writes `,,,`); otherwise the row is refused.
- Values missing at the end are added, empty, for columns without a name; for others the row is refused, unless
  `csv.ragged: pad` asks for them to be empty.
- A record without any value is a row if it has the header's width, and is passed over otherwise.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from freeal.errors import InputError, Where
from freeal.table.csv_parsing.csv_record_parser import is_blank

MOST_LINES_NAMED = 20


@dataclasses.dataclass(frozen=True, slots=True)
class Fitting:
    """The rule for one header."""

    width: int
    needed: int

    @classmethod
    def of(cls, header: Sequence[str], *, pad: bool) -> Fitting:
        """`pad`: short rows are filled up."""
        named = [place for place, name in enumerate(header) if name.strip()]
        return cls(len(header), 0 if pad else (named[-1] + 1 if named else len(header)))

    def fit_row(self, record: list[str]) -> list[str] | None:
        """The row, or None for a record that is passed over. Raises `UnfitError` for one that is refused."""
        if len(record) == self.width:
            return record
        if is_blank(record):
            return None
        if len(record) > self.width and is_blank(record[self.width :]):
            return record[: self.width]
        if self.needed <= len(record) < self.width:
            return record + [""] * (self.width - len(record))
        raise UnfitError(len(record))


class UnfitError(ValueError):
    """A record that does not fit the header; its argument is how many values it has."""


def ragged_rows_error(problems: Sequence[tuple[int, str]], *, path: Path, complete: bool, hint: str) -> InputError:
    """One error for all the lines that cannot be read, up to `MOST_LINES_NAMED`; `complete`: there are no others."""
    (line, problem), *others = problems
    if others:
        lines_of: dict[str, list[int]] = {}
        for number, what in others:
            lines_of.setdefault(what, []).append(number)
        listed = "; ".join(
            f"line {numbers[0]} {what}"
            if len(numbers) == 1
            else f"lines {', '.join(map(str, numbers))} {'likewise' if what == problem else f'each: {what}'}"
            for what, numbers in lines_of.items()
        )
        problem += f"; {len(others)}{'' if complete else ' or more'} other lines cannot be read either: {listed}"
        problem = problem.replace("1 other lines", "1 other line")
    return InputError(problem, where=Where(file=path, line=line), hint=hint)
