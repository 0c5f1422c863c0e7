"""What pydantic says about a file's values, in words for who wrote the file, with places and what to write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from freeal.errors import Problem, Where
from freeal.spec.value_faults import FaultyValueError, KeyPath, value_as_written
from freeal.text.closest_name import nearest
from freeal.text.invisible_characters import invisible

_PLAIN = {
    "string_type": "must be text",
    "string_too_short": "must not be empty",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number, and no longer than any number needs to be",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "dict_type": "must be keys with values",
    "model_type": "must be keys with values",
    "model_attributes_type": "must be keys with values",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "path_type": "must be a path",
}
"""pydantic's kinds of error in the words of this documentation."""


ONE, SEVERAL = "(one)", "(several)"
"""Tags of a value that may be one thing or a list of them: pydantic puts them into the place of an error, no file has
them."""


def validation_problems(
    model: type[BaseModel], cause: ValidationError, *, where: Callable[[KeyPath], Where]
) -> list[Problem]:
    """All that is wrong with a document, in the order of the file's lines; `where` tells the place of a key."""
    found = [
        Problem(problem, where(key_path), hint)
        for error in cause.errors(include_url=False)
        for key_path, problem, hint in _explained_validation_error(model, dict(error))
    ]
    # what is missing has no line and comes last, behind the misspelt key that often explains it
    found.sort(key=lambda one: (one.where.line is None, one.where.line or 0))
    return found


def _explained_validation_error(
    model: type[BaseModel], error: Mapping[str, Any]
) -> Iterator[tuple[KeyPath, str, str | None]]:
    key_path: KeyPath = tuple(part for part in error["loc"] if part not in (ONE, SEVERAL))
    inner = error.get("ctx", {}).get("error")
    if isinstance(inner, FaultyValueError):
        for fault in inner.faults:
            yield (*key_path, *fault.at), fault.problem, fault.hint
    elif error["type"] == "extra_forbidden":
        yield key_path, *_unknown_key(model, key_path)
    elif error["type"] == "missing":
        yield key_path, "is required", None
    else:
        yield key_path, _reason_of_validation_error(error), _form_of_value(error)


def _unknown_key(model: type[BaseModel], key_path: KeyPath) -> tuple[str, str]:
    name = str(key_path[-1])
    known = list(_fields_at(model, key_path[:-1]))
    guess = nearest(name, known)
    problem = (
        f"unknown key; it holds what nobody sees: {', '.join(hidden)}" if (hidden := invisible(name)) else "unknown key"
    )
    return problem, f"did you mean {guess!r}?" if guess else f"known keys: {', '.join(known)}"


def _reason_of_validation_error(error: Mapping[str, Any]) -> str:
    reason = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "literal_error":
        reason = f"must be one of {error['ctx']['expected'].replace(' or ', ', ')}"
    elif error["type"].startswith(("greater_than", "less_than")):
        reason = reason.replace("Input should", "must")
    reason = _PLAIN.get(error["type"], reason)
    reason = f"{reason[:1].lower()}{reason[1:]}"
    if error["type"] == "value_error" and isinstance(error["input"], dict | list | tuple):
        return reason  # half a file or a long list: showing its start helps nobody
    return f"{reason}, found {value_as_written(error['input'], 80)}"


def _form_of_value(error: Mapping[str, Any]) -> str | None:
    if error["type"] in ("list_type", "tuple_type"):
        return "write [a, b]"
    if error["type"] in ("dict_type", "model_type", "model_attributes_type"):
        return f"write {{key: value}}, or leave {error['loc'][-1]} out"
    if error["type"] == "string_type" and isinstance(error["input"], dict):
        return "a text with `: ` in it stands in quotes"
    return None


def _fields_at(model: type[BaseModel], key_path: KeyPath) -> Iterable[str]:
    for part in key_path:
        if isinstance(part, int):
            continue  # an item of a list whose kind was found with the list
        field = model.model_fields.get(part)
        inner = None if field is None else _model_within(field.annotation)
        if inner is None:
            return ()
        model = inner
    return model.model_fields


def _model_within(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_within, get_args(annotation))), None)
