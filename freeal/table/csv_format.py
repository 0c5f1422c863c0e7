"""How a CSV is written, as far as a person says: the `csv` part of a spec."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, field_validator


class CsvFormat(BaseModel):
    """How the CSV is written; null = found out from the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    encoding: str | None = None
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    quoting: Literal["minimal", "backslash", "none"] | None = None
    skip_rows: NonNegativeInt | None = None
    ragged: Literal["refuse", "pad"] | None = None

    @field_validator("delimiter", mode="before")
    @classmethod
    def _named_tab(cls, value: Any) -> Any:
        return "\t" if value in ("tab", "\\t") else value

    @field_validator("delimiter")
    @classmethod
    def _can_split(cls, value: str | None) -> str | None:
        if value is not None and (value in '"\\\r\n\0\ufeff\uffff' or "\ud800" <= value <= "\udfff"):
            raise ValueError("cannot separate values: take another character, or write tab")
        return value
