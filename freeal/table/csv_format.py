"""How a CSV is written, as far as a person says: the `csv` part of a spec."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, field_validator


class CsvFormat(BaseModel):
    """How the CSV is written; null = found out from the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    encoding: str | None = None
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    quoting: Literal["minimal", "backslash", "none", "lines"] | None = None
    skip_rows: NonNegativeInt | None = None
    header: Literal["first", "none"] | tuple[str, ...] | None = None
    skip_rows_after_header: NonNegativeInt | None = None
    repeated_header: Literal["skip", "keep"] | None = None
    ragged: Literal["refuse", "pad"] | None = None
    sheet: str | None = None
    output_encoding: Literal["utf-8", "utf-8-sig"] | None = None

    @field_validator("header", mode="before")
    @classmethod
    def _yes_or_no(cls, value: Any) -> Any:
        if isinstance(value, bool):
            return "first" if value else "none"
        if isinstance(value, str) and value not in ("first", "none"):
            raise ValueError("is first, none, or a list of the columns' names")
        return value

    @field_validator("header")
    @classmethod
    def _names_apart(cls, value: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        if isinstance(value, tuple) and (not value or not all(name.strip() for name in value)):
            raise ValueError("must give each column a name")
        if isinstance(value, tuple) and len(set(value)) < len(value):
            raise ValueError("gives two columns one name")
        return value

    @field_validator("output_encoding", mode="before")
    @classmethod
    def _usual_names(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        plain = value.lower().replace("_", "-")
        return {"utf8": "utf-8", "utf8-sig": "utf-8-sig", "utf-8-bom": "utf-8-sig"}.get(plain, plain)

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
