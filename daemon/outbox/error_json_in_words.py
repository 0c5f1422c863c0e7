"""The reason a job or a prediction failed, from its report (error.json), in words: on a line, and as ERROR.txt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from freeal.errors import Problem, Where
from freeal.text.printable_text import visible

_WHERE = ("file", "line", "column", "key")


def error_in_words(report: Mapping[str, Any] | None) -> str:
    """A report on one line: file, line, column or key, what is wrong and what to do. Several problems by number.

    Empty without a report.
    """
    if not report:
        return ""
    found = [_problem_in_words(one) for one in report.get("problems") or [report]]
    if len(found) == 1:
        return str(found[0])
    return f"{len(found)} problems: " + "; ".join(f"{number}. {one}" for number, one in enumerate(found, start=1))


def error_text(report: Mapping[str, Any], *, then: str) -> str:
    """ERROR.txt: what, where and what to do, and `then` what comes after mending the cause."""
    problems = report["problems"]
    numbered = len(problems) > 1
    lines = [f"{len(problems)} problems; all of them must be mended.", ""] if numbered else []
    for number, one in enumerate(problems, start=1):
        where = one["where"]
        place = [str(where["file"])] if "file" in where else []
        place += [f"line {where['line']}"] if "line" in where else []
        place += [f"{word} '{where[word]}'" for word in ("column", "key") if word in where]
        lines += [f"{number}."] if numbered else []
        lines += [f"What:   {one['problem']}"]
        lines += [f"Where:  {', '.join(place)}"] if place else []
        lines += [f"To do:  {one['hint']}"] if one["hint"] else []
        lines += [""] if numbered else []
    lines += [f"Then:   {then}", "", f"{report['job']}, {report['time']}, {report['kind']}"]
    return visible("\n".join(lines)) + "\n"


def _problem_in_words(one: Mapping[str, Any]) -> Problem:
    where = one.get("where") or {}
    hint = one.get("hint")
    place = Where(**{name: where[name] for name in _WHERE if name in where})
    return Problem(str(one.get("problem", "")), place, str(hint) if hint else None)
