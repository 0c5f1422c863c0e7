"""What can be known to be wrong before anything is asked or paid: the spec against the table, all of it at once.

Errors are collected and raised together, with their lines; what may be meant is a warning: the job runs, and says so
in the log, in run.json and metrics.json and in the report.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from freeal.errors import InputError, Problem, Where
from freeal.pool import true_labels
from freeal.pool.text_pool import Pool, build_pool
from freeal.preflight import header_check
from freeal.preflight.label_leakage import label_leaks
from freeal.spec.job_spec import Spec
from freeal.table import Table, find_column, read_table
from freeal.text import joined_labels, label_names, label_paths
from freeal.text.closest_name import nearest

FEWEST_IN_ORDER = 3
FEWEST_PER_LABEL = 5
"""Distinct texts: with fewer on average, some label has next to none to learn from or to be a demonstration."""
_MOST_NAMED = 5
"""Values, ids and columns that a message names; it counts the others."""


@dataclasses.dataclass(frozen=True, slots=True)
class Checked:
    """A table that fits its spec, its texts, and what a person should know about both."""

    table: Table
    pool: Pool
    warnings: tuple[str, ...]


def read(path: Path, spec: Spec) -> Checked:
    """Read a table and check it. Raises one `InputError` for all that is wrong."""
    return check(read_table(path, spec.csv), spec)


def check(table: Table, spec: Spec) -> Checked:
    """Hold a table against its spec. Raises one `InputError` for all that is wrong; linear in the number of cells."""
    header = header_check.header_findings(table, spec)
    columns = list(_column_problems(table, spec))
    # a missing column and a first line that may be a row explain each other
    problems = [*(one.as_problem(table) for one in header if one.is_sure or columns), *columns]
    pool = None
    if not problems:
        try:
            pool = build_pool(table, spec)
        except InputError as error:
            problems += error.parts
    problems += _no_truth_known(table, spec)
    if pool is None or problems:
        raise InputError.of(problems)
    unsure = [one.as_warning() for one in header if not one.is_sure]
    return Checked(table, pool, (*unsure, *_preflight_warnings(table, pool, spec)))


def _column_problems(table: Table, spec: Spec) -> Iterator[Problem]:
    """Columns that the spec names and the table lacks, or has twice."""
    named = [("text_columns", name) for name in spec.text_columns or ()]
    for role, name in [*named, *spec.other_columns.items()]:
        try:
            find_column(table.header, name, role=role, path=table.path)
        except InputError as error:
            parts = [part.strip() for part in name.split(",")]
            if len(parts) > 1 and set(parts) <= set(table.header):
                where = Where(file=table.path, column=name)
                yield Problem(f"{role} names a column that is not there", where, f"write [{', '.join(parts)}]")
            else:
                yield from error.parts


def _truth_values(table: Table, spec: Spec) -> list[str]:
    """What stands in the label column, trimmed, row by row; empty without one."""
    try:
        return true_labels.true_label_values(table, spec)
    except InputError:  # `_column_problems` says so
        return []


def _no_truth_known(table: Table, spec: Spec) -> Iterator[Problem]:
    values = _truth_values(table, spec)
    if any(values) and not any(true_labels.known_nodes(values, spec)):
        first = next(row for row, value in enumerate(values) if value)
        yield Problem(
            f"none of the values of {_role(spec)} is one of the labels: {_strange_truth_values(table, values, spec)}",
            Where(file=table.path, line=table.lines[first], column=spec.label_column),
            _several_meant(values, spec) or f"write labels and values alike, or leave {_role(spec)} out",
        )


def _role(spec: Spec) -> str:
    return "label_column" if spec.label_columns is None else "label_columns"


def _truth_name(spec: Spec) -> str:
    return f"label_column {spec.label_column!r}" if spec.label_columns is None else "label_columns"


def _several_meant(values: list[str], spec: Spec) -> str | None:
    """What to write where values look as if a text had several labels, or were written with another sign between."""
    unknown = [value for value, label in zip(values, true_labels.known(values, spec), strict=True) if label is None]
    separator = true_labels.separator_in(unknown, spec)
    if separator is None:
        return _sign_within_a_name(unknown, spec) if spec.kind == "multi" else None
    sign = "" if separator == spec.label_separator else f"label_separator: {json.dumps(separator)}"
    if spec.kind == "multi":
        return f"the labels in a cell stand apart by {separator!r}: write {sign}" if sign else None
    if spec.kind == "tree":
        return "a text has one path of the tree: leave one of them in the cell"
    said = "a text seems to have several labels: write kind: multi into the spec"
    return f"{said} and {sign}" if sign else said


def _sign_within_a_name(unknown: list[str], spec: Spec) -> str | None:
    """What the preflight check says of labels that are unknown because the sign between labels is within a name."""
    sign = joined_labels.SEPARATOR if spec.label_columns else spec.label_separator
    name = next((name for name in spec.labels if sign in name and any(name in value for value in unknown)), None)
    if name is None:
        return None
    return (
        f"{sign!r} stands between labels: within a name write {name.replace(sign, chr(92) + sign)}, or choose another"
    )


def _strange_truth_values(table: Table, values: list[str], spec: Spec) -> str:
    """The values that are no labels, the most frequent first, with their first line and the label that may be meant."""
    known = true_labels.known_nodes(values, spec)
    first: dict[str, int] = {}
    counts: Counter[str] = Counter()
    for row, (value, label) in enumerate(zip(values, known, strict=True)):
        if value and label is None:
            for part in true_labels.unknown_parts(value, spec):
                first.setdefault(part, row)
                counts[part] += 1
    said = []
    for value, count in counts.most_common(_MOST_NAMED):
        line = table.lines[first[value]]
        places = f"line {line}" if count == 1 else f"{count:,} times, from line {line} on"
        advice = _advice_on_truth_value(value, spec)
        said.append(f"{label_names.quoted(value)} ({places}{f'; {advice}' if advice else ''})")
    left = len(counts) - len(said)
    others = "1 other" if left == 1 else f"{left:,} others"
    return ", ".join(said) + (f" and {others}" if left else "")


def _advice_on_truth_value(value: str, spec: Spec) -> str:
    """Which label may be meant by a value that is none."""
    if spec.kind == "tree" and len(same := label_paths.called(value, spec.task.names)) > 1:
        return f"{' or '.join(map(repr, same[:3]))}? write the whole path"
    bare = {"".join(label_names.unaccented(name).split()): name for name in spec.labels}
    meant = bare.get("".join(label_names.unaccented(value[:200]).split()))
    meant = meant or true_labels.of_the_same_number(value, spec) or nearest(value[:200], spec.labels)
    return f"did you mean {meant!r}?" if meant else ""


def too_few_texts(texts: int, *, labels: int) -> str | None:
    """What to say where there are not FEWEST_PER_LABEL texts for each label; None where there are."""
    if texts >= FEWEST_PER_LABEL * labels:
        return None
    counted = "1 distinct text" if texts == 1 else f"{texts} distinct texts"
    return f"only {counted} for {labels} labels: no student can learn them all from so few"


def _preflight_warnings(table: Table, pool: Pool, spec: Spec) -> Iterator[str]:
    if few := too_few_texts(len(pool), labels=len(spec.labels)):
        yield few
    for twin, name in label_names.accent_twins(spec.labels):
        yield f"the labels {twin!r} and {name!r} differ by accents only: the language model may confuse them"
    yield from _warnings_about_order(spec)
    yield from _warnings_about_truth(table, pool, spec)
    yield from label_leaks(table, pool, spec)
    yield from _warnings_about_ids(table, spec)
    yield from _warnings_about_paraphrases(pool, spec)


def _warnings_about_order(spec: Spec) -> Iterator[str]:
    """Numbers as labels are proposed as an order, not taken for one: they may be codes."""
    if spec.kind != "single" or len(spec.labels) < FEWEST_IN_ORDER:
        return
    try:
        numbers = [float(name) for name in spec.labels]
    except ValueError:
        return
    if numbers in (sorted(numbers), sorted(numbers, reverse=True)):
        yield (
            f"the labels {', '.join(list(spec.labels)[:5])} are numbers in order: where 1 is nearer to 2 than to 5, "
            "write kind: ordinal into the spec, so that labels are as near to the truth as they can be"
        )


def _warnings_about_truth(table: Table, pool: Pool, spec: Spec) -> Iterator[str]:
    values = _truth_values(table, spec)
    if not values:
        return
    if not any(values):
        yield f"{_truth_name(spec)} is empty in every row: nothing can be evaluated"
    if pool.unknown_truth:
        yield (
            f"{pool.unknown_truth:,} of {sum(map(bool, values)):,} values of {_truth_name(spec)} are "
            f"none of the labels and are not evaluated: {_strange_truth_values(table, values, spec)}"
        )
        if meant := _several_meant(values, spec):
            yield meant
    empty = sum(not value for value in values)
    if spec.kind == "multi" and spec.label_column is not None and empty and any(values):
        yield (
            f"{empty:,} of {len(values):,} cells of {_truth_name(spec)} are empty and are not evaluated: "
            f"where no label applies write {joined_labels.NONE}"
        )
    given = {example.text.strip() for example in spec.examples}
    shown = {index for index, text in enumerate(pool.texts) if text in given}
    rows = sum(index in shown and bool(value) for index, value in zip(pool.row_index, values, strict=True))
    if rows:
        yield f"rows whose text stands in the examples are not evaluated: {rows:,} with a true label"


def _warnings_about_ids(table: Table, spec: Spec) -> Iterator[str]:
    if spec.id_column is None:
        return
    position = table.column(spec.id_column, role="id_column")
    lines: dict[str, int] = {}
    twice: dict[str, tuple[int, int]] = {}
    for row, cells in enumerate(table.rows):
        before = lines.setdefault(cells[position], row)
        if before != row:
            twice.setdefault(cells[position], (before, row))
    if not twice:
        return
    said = [
        f"{label_names.quoted(value)} on lines {table.lines[one]} and {table.lines[other]}"
        for value, (one, other) in list(twice.items())[:_MOST_NAMED]
    ]
    left = len(twice) - len(said)
    more = f" and {left:,} others" if left else ""
    yield f"id_column {spec.id_column!r} does not tell all rows apart: {', '.join(said)}{more}"


def _warnings_about_paraphrases(pool: Pool, spec: Spec) -> Iterator[str]:
    if pool.paraphrases is None:
        return
    given = [(text, other) for text, other in zip(pool.texts, pool.paraphrases, strict=True) if other]
    same = sum(text == other for text, other in given)
    if not given:
        yield f"paraphrase_column {spec.paraphrase_column!r} is empty in every row"
    elif same > len(given) / 2:
        yield (
            f"paraphrase_column {spec.paraphrase_column!r} repeats the text in {same:,} of {len(given):,} texts: "
            "that teaches the student nothing"
        )
