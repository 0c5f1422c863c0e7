"""An error of ours as a page says it."""

from __future__ import annotations

from freeal.errors import FreealError, Problem


def error_for_page(error: FreealError, *, by_line: bool = True) -> str:
    """An error without the place its file has for the moment; every problem where there are several.

    Without `by_line` for a spec that the form wrote: nobody sees its lines.
    """
    problems = error.problems or (Problem(error.problem, error.where, error.hint),)
    return " ".join(_problem_sentence(one, by_line=by_line) for one in problems)


def _problem_sentence(problem: Problem, *, by_line: bool) -> str:
    where = problem.where
    parts = [f"line {where.line}"] if where.line and by_line else []
    parts += [f"{word} {value!r}" for word, value in (("column", where.column), ("key", where.key)) if value]
    text = f"{', '.join(parts)}: {problem.problem}." if parts else f"{problem.problem}."
    return f"{text} To do: {problem.hint}." if problem.hint else text
