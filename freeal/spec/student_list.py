"""`student.model` of a spec: one student, or several of which the job chooses one."""

from __future__ import annotations

from typing import Any

from freeal.setting_values import one_or_several_students, student_setting_faults
from freeal.spec.value_faults import Fault, FaultyValueError


def checked_student_list(value: Any) -> Any:
    """A name, or the names of a list as a tuple. Raises `FaultyValueError` with the place of each bad entry."""
    if value is None:
        return None
    faults = [
        Fault(problem, at=() if place is None else (place,), hint=hint)
        for place, problem, hint in student_setting_faults(value)
    ]
    if faults:
        raise FaultyValueError(faults)
    return one_or_several_students(value)


def one_or_several(words: str) -> str | tuple[str, ...]:
    """A name as it is typed, or several with commas between them."""
    names = tuple(word.strip() for word in words.split(",") if word.strip())
    return names if len(names) > 1 else words
