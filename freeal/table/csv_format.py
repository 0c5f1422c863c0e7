"""How a CSV is written, as far as a person says: the `csv` part of a spec."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, field_validator


class CsvFormat(BaseModel):
    """How the CSV is written; null = found out from the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    encoding: str | None = Field(None, description="for example `utf-8`, `utf-16`, `cp1252`, `shift_jis`")
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = Field(
        None, description="one character, or `tab`"
    )
    quoting: Literal["minimal", "backslash", "none", "lines"] | None = Field(
        None,
        description="`minimal`: quotes within a value are doubled; `backslash`: escaped with backslashes; `none`: "
        "quotes are characters like others; `lines`: whole lines stand in quotes",
    )
    skip_rows: NonNegativeInt | None = Field(
        None, description="lines above the header; 0: there are none, whatever the first line looks like"
    )
    header: Literal["first", "none"] | tuple[str, ...] | None = Field(
        None,
        description="`first`: the first line names the columns, whatever it looks like; `none`: it is a row; a list: "
        "what the columns are called, the first line is a row",
    )
    skip_rows_after_header: NonNegativeInt | None = Field(
        None, description="rows below the header that are left out; 0: all are rows, whatever they look like"
    )
    repeated_header: Literal["skip", "keep"] | None = Field(
        None, description="the header once more, further down: `skip` leaves it out, `keep` reads it as a row"
    )
    ragged: Literal["refuse", "pad"] | None = Field(
        None, description="`refuse`, or `pad`: rows that are too short are filled up with empty values"
    )
    sheet: str | None = Field(None, description="the sheet of a workbook")
    output_encoding: Literal["utf-8", "utf-8-sig"] | None = Field(
        None,
        description="of the results: `utf-8-sig` (UTF-8 with a byte-order mark, which Excel needs) or `utf-8`",
    )

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
    def _column_names_apart(cls, value: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
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
