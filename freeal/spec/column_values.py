"""`text_columns` of a spec as a person may write them: a list of names, or one name."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator


def _as_list(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _some_text_column(columns: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if columns is not None and not columns:
        raise ValueError("names no column; leave the key out to use every column")
    if doubled := [repr(name) for name, count in Counter(columns or ()).items() if count > 1]:
        raise ValueError(f"names {', '.join(doubled)} twice")
    return columns


Columns = Annotated[tuple[str, ...] | None, BeforeValidator(_as_list), AfterValidator(_some_text_column)]
