"""The reason a job or a prediction failed, from its report (error.json), in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from freeal.errors import Problem, Where

_WHERE = ("file", "line", "column", "key")


def in_words(report: Mapping[str, Any] | None) -> str:
    """Everything: the file, the line, the column or key, what is wrong with it, what to do. Several problems by number.

    Empty without a report.
    """
    if not report:
        return ""
    found = [_problem(one) for one in report.get("problems") or [report]]
    if len(found) == 1:
        return str(found[0])
    return f"{len(found)} problems: " + "; ".join(f"{number}. {one}" for number, one in enumerate(found, start=1))


def _problem(one: Mapping[str, Any]) -> Problem:
    where = one.get("where") or {}
    hint = one.get("hint")
    place = Where(**{name: where[name] for name in _WHERE if name in where})
    return Problem(str(one.get("problem", "")), place, str(hint) if hint else None)
