"""Values of settings that have rules of their own, whoever writes them: a question's form, one or several students."""

from __future__ import annotations

import re
from typing import Any

from freeal.types import COMPARE

_NAMED_FORMS = ("auto", "plain")
_PLACES_OF_A_FORM = frozenset({"description", "meanings", "text", "label"})
MOST_STUDENTS = 4  # each one that is compared is trained twice


def checked_form(value: str) -> str:
    """`llm.form`, its ends trimmed. Raises ValueError for a template that a label cannot be read behind."""
    form = value.strip()
    if form in _NAMED_FORMS:
        return form
    places = re.findall(r"\{([^{}]*)\}", form)
    if unknown := [one for one in places if one not in _PLACES_OF_A_FORM]:
        known = ", ".join(f"{{{one}}}" for one in ("text", "label", "description", "meanings"))
        raise ValueError(f"has {{{unknown[0]}}}: a form is auto, plain, or a template with {known}")
    paragraphs = form.split("\n\n")
    question, _, answer = paragraphs[-1].partition("\n")
    if [places.count("text"), places.count("label")] != [1, 1] or not form.endswith(" {label}"):
        raise ValueError("is auto, plain, or a template with one {text} and, at its very end, a space and {label}")
    if (
        "{text}" not in question
        or "{label}" in question
        or "\n" in answer
        or any(not one.strip() for one in paragraphs)
    ):
        raise ValueError("ends with two lines: one with {text}, and right below it one that {label} ends")
    if places.count("meanings") != paragraphs[:-1].count("{meanings}"):
        raise ValueError("has {meanings}, a line for each label, as a paragraph of its own before the text")
    return form


def one_or_several_students(value: Any) -> Any:
    """A list of one student is that student, and of several a tuple."""
    if isinstance(value, list | tuple):
        return value[0] if len(value) == 1 else tuple(value)
    return value


def student_setting_faults(value: Any) -> list[tuple[int | None, str, str]]:
    """What is wrong with a value of the setting `student.model`: the position of an entry, None for all of it; the
    problem; what to write."""
    form = "write one name, or a list such as [minilm, tfidf]"
    if isinstance(value, str):
        return [] if value.strip() else [(None, "names no student", form)]
    if not isinstance(value, list | tuple):
        return [(None, f"must be a name or a list of names, found {value!r}", form)]
    if not 1 <= len(value) <= MOST_STUDENTS:
        return [(None, f"names {len(value)} students; at most {MOST_STUDENTS} can be compared", form)]
    faults: list[tuple[int | None, str, str]] = []
    for place, one in enumerate(value):
        if not isinstance(one, str) or not one.strip():
            faults.append((place, f"must be the name of a student, found {one!r}", form))
        elif one == COMPARE:
            faults.append((place, "compare stands for a list of its own", "write model: compare, or leave it out"))
        elif one in value[:place]:
            faults.append((place, f"names {one!r} twice", "name another one, or leave it out"))
    return faults
