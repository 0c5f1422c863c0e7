"""Whether the first line names the columns, and whether what stands below it are rows.

Tables without a header, put together with the header in their midst, or with questions and ids below the names (as
Qualtrics and SurveyMonkey write them) read like any other: what is no row would be asked about and learned from, and a
first text would be lost as a name. What is sure is a problem, what may be is a warning; `csv` in the spec decides.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet

from freeal.errors import Problem, Where
from freeal.preflight.prose_likeness import is_prose_like
from freeal.preflight.value_kinds import kind_of_value, most_common_kind
from freeal.spec.job_spec import Spec
from freeal.table import Table
from freeal.table.column_names import IMPORT_ID, repeats_header
from freeal.text.label_names import folded

_LOOKED_AT = 1_000
_FEWEST = 3
_SURE = 2
_MOST_NAMED = 5
_SURVEY_WORDS = frozenset({"response", "open-ended response"})
"""What SurveyMonkey writes below a question."""
_IS_A_HEADER = "if it does name the columns, say csv: {header: first}"
_NO_HEADER = (
    "if it is a row, write csv: {header: none} in the spec (the columns are column_1, column_2, ...) or their names, "
    "csv: {header: [name, name]}, or write a line with names above it; " + _IS_A_HEADER
)


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """Something about the header: how sure it is, and what to say."""

    is_sure: bool
    problem: str
    line: int
    hint: str

    def as_warning(self) -> str:
        """One sentence."""
        return f"line {self.line}: {self.problem}; {self.hint}"

    def as_problem(self, table: Table) -> Problem:
        """For a refusal."""
        return Problem(self.problem, Where(file=table.path, line=self.line), self.hint)


def header_findings(table: Table, spec: Spec) -> list[Finding]:
    """All there is to say about the header of a table, nothing about what the spec decides."""
    if table.dialect.form in ("jsonl", "parquet") or not table.rows:
        return []
    below = list(_lines_below_header(table, spec))
    first = _findings_of_first_line(table, spec, after=below[0].rows if below else 0)
    return [*first, *(one.finding for one in below), *_header_again(table, spec)]


def _findings_of_first_line(table: Table, spec: Spec, *, after: int) -> Iterator[Finding]:
    if spec.csv.header is not None:
        return
    evidence = _evidence_of_missing_header(table, after=after, labels={folded(label) for label in spec.labels})
    is_strong = sum(weight for weight, _ in evidence) >= _SURE
    # a form, or our own note, lists what stands in the first line: a spec that names it has not decided anything
    is_named = bool({*(spec.text_columns or ()), *spec.other_columns.values()} & set(table.header))
    if evidence and (is_strong or not is_named):
        said = f"the first line looks like a row, not like a header with names of columns: {_because(evidence)}"
        yield Finding(is_strong and not is_named, said, table.dialect.lines_above + 1, _NO_HEADER)


def _because(evidence: Sequence[tuple[int, str]]) -> str:
    return "; ".join(said for _, said in evidence[:3])


def _evidence_of_missing_header(table: Table, *, after: int, labels: AbstractSet[str]) -> list[tuple[int, str]]:
    """(weight, what) for each column whose name looks like its values; empty where a name cannot be one of them."""
    rows = table.rows[after : after + _LOOKED_AT]
    if all(name.strip() in {str(place), str(place + 1)} for place, name in enumerate(table.header) if name.strip()):
        return []  # pandas numbers columns that have no name
    found: list[tuple[int, str]] = []
    for place, name in enumerate(table.header):
        values = [value for row in rows if (value := row[place].strip()) and not repeats_header(row, table.header)]
        if len(values) < _FEWEST or not name.strip():
            continue
        kind, own = most_common_kind(values), kind_of_value(name)
        if kind is not None and kind != own:
            return []  # a name above numbers or dates
        if kind is not None:
            found.append((1 if kind == "number" else _SURE, f"{_short(name)} stands above values that are {kind}s too"))
        elif values.count(name.strip()) > 1:
            is_label = folded(name) in labels
            said = f"{_short(name)} stands {values.count(name.strip())} times below it too"
            found.append((_SURE, f"{said}, and is one of the labels") if is_label else (1, said))
        elif weight := is_prose_like(name.strip(), values):
            found.append((weight, f"{_short(name)} reads like the texts below it"))
    return found


@dataclasses.dataclass(frozen=True, slots=True)
class _Below:
    rows: int
    finding: Finding


def _lines_below_header(table: Table, spec: Spec) -> Iterator[_Below]:
    """Lines below the header that are no rows."""
    if spec.csv.skip_rows_after_header is not None or spec.csv.header == "none":
        return
    first = table.rows[:_FEWEST]
    ids = [number for number, row in enumerate(first) if any(value.startswith(IMPORT_ID) for value in row)]
    if ids:
        yield _question_texts_below(
            table, ids[-1] + 1, "they hold questions and ImportIds, as Qualtrics writes them", sure=True
        )
        return
    words = {value.strip().casefold() for value in first[0]}
    if words & _SURVEY_WORDS and words - _SURVEY_WORDS <= {""} | {value.casefold() for value in _choices(table)}:
        yield _question_texts_below(
            table, 1, "it holds the kinds of the answers, as SurveyMonkey writes them", sure=True
        )
        return
    odd = [name for place, name in enumerate(table.header) if _is_odd_one_out(table, place)]
    if odd:
        why = f"in {', '.join(map(_short, odd[:3]))} it holds words, and every other row a number, a date or the like"
        yield _question_texts_below(table, 1, why, sure=len(odd) > 1)


def _choices(table: Table) -> list[str]:
    """Values of the second line that stand in no other row: names of choices, in a survey."""
    others = [set(column) for column in zip(*table.rows[1:_LOOKED_AT], strict=True)]
    return [value for value, seen in zip(table.rows[0], others, strict=False) if value not in seen]


def _is_odd_one_out(table: Table, place: int) -> bool:
    own = table.rows[0][place].strip()
    if not own or own.casefold() in _MISSING or kind_of_value(own) is not None:
        return False
    values = [value for row in table.rows[1:_LOOKED_AT] if (value := row[place].strip())]
    return len(values) >= 2 * _FEWEST and all(kind_of_value(value) is not None for value in values)


_MISSING = frozenset(
    {"na", "n/a", "#n/a", "nan", "null", "none", "-", "--", "?", "unknown", "missing", "true", "false"}
)


def _question_texts_below(table: Table, rows: int, why: str, *, sure: bool) -> _Below:
    last = table.lines[rows - 1]
    them = f"lines {table.lines[0]} to {last} below the header are" if rows > 1 else "the line below the header is"
    hint = (
        f"write csv: {{skip_rows_after_header: {rows}}} in the spec to leave {'them' if rows > 1 else 'it'} out, or "
        "skip_rows_after_header: 0 to read all"
    )
    said = f"{them} {'' if sure else 'perhaps '}no row{'s' if rows > 1 else ''}: {why}"
    return _Below(rows, Finding(sure, said, table.lines[0], hint))


def _header_again(table: Table, spec: Spec) -> Iterator[Finding]:
    if spec.csv.repeated_header is not None or spec.csv.header == "none":
        return
    lines = [line for line, row in zip(table.lines, table.rows, strict=True) if repeats_header(row, table.header)]
    if lines:
        shown = ", ".join(map(str, lines[:_MOST_NAMED])) + (", ..." if len(lines) > _MOST_NAMED else "")
        times = "once more" if len(lines) == 1 else f"{len(lines):,} times more"
        yield Finding(
            is_sure=True,
            problem=f"the header stands there {times}, on line{'' if len(lines) == 1 else 's'} {shown}: no row",
            line=lines[0],
            hint="write csv: {repeated_header: skip} in the spec to leave such lines out, or keep to read them as rows",
        )


def _short(name: str) -> str:
    return repr(name if len(name) <= 40 else name[:39] + "…")
