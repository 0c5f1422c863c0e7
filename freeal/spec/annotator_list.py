"""`llm` of a spec: what one language model is told, or several of them in the order in which they are asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from freeal.settings import Provider
from freeal.spec.validation_messages import ONE, SEVERAL
from freeal.spec.value_faults import Fault, FaultyValueError, value_as_written

MOST = 4
"""More voices on one text are not worth their price: language models err alike."""
FORM = "write llm: [{model: the first}, {model: the next}], or llm: {model: ...} for one alone"


def kind_of(value: Any) -> str:
    """The tag of the kind that a value of `llm` is of."""
    return SEVERAL if isinstance(value, list | tuple) else ONE


def as_overrides(value: Any) -> Any:
    """A language model that is given by its name alone, or its provider's, as keys with values."""
    if not isinstance(value, str):
        return value
    return {"provider" if value in get_args(Provider) else "model": value}


def checked_annotators(value: Sequence[Any]) -> Sequence[Any]:
    """A list that can hold several language models. Raises `FaultyValueError` for one that is too short or too long,
    or names the same one twice."""
    if not value:
        raise FaultyValueError([Fault("names no language model", hint=FORM)])
    if len(value) > MOST:
        raise FaultyValueError([Fault(f"names {len(value)} language models; at most {MOST} are asked", hint=FORM)])
    faults = []
    for place, one in enumerate(value):
        if any(_same(one, other) for other in value[:place]):
            problem = f"names {value_as_written(_shown(one))} twice: a model that is asked again says the same"
            faults.append(Fault(problem, at=(place,), hint="name another one, or leave it out"))
    if faults:
        raise FaultyValueError(faults)
    return value


def _same(one: Any, other: Any) -> bool:
    return bool(_identity(one) == _identity(other))


def _identity(value: Any) -> Any:
    fields = as_overrides(value)
    if isinstance(fields, Mapping):
        return fields.get("provider"), fields.get("model")
    return getattr(fields, "provider", None), getattr(fields, "model", fields)


def _shown(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value
