"""Errors on their way between processes and machines, as plain values: their classes may not be there to unpickle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from freeal import errors
from freeal.errors import ExecutorError, FreealError, Where


def error_as_message(error: BaseException) -> dict[str, Any]:
    """An error as a message. One that is not ours is told as an `ExecutorError`, with its class and its last line."""
    own = next((one for one in (getattr(error, "cause", None), error) if isinstance(one, FreealError)), None)
    if own is None:
        said = (str(error).strip().splitlines() or [""])[-1]
        own = ExecutorError(f"the work failed: {type(error).__name__}: {said}")
    return {"error": type(own).__name__, "problem": own.problem, "hint": own.hint, "where": own.where.as_dict()}


def error_from_message(message: dict[str, Any]) -> FreealError:
    """The error that `error_as_message` made a message of."""
    found = getattr(errors, message["error"], ExecutorError)
    kind = found if isinstance(found, type) and issubclass(found, FreealError) else ExecutorError
    where = dict(message["where"])
    if "file" in where:
        where["file"] = Path(where["file"])
    return kind(message["problem"], where=Where(**where), hint=message["hint"])
