"""Small tables in HTML, everything in them escaped: texts of rows are strangers' texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markupsafe import Markup, escape

from freeal.report.number_format import printable


def html_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with a line of headings."""
    head = _line(header, "th")
    return str(
        Markup("<table><thead>{}</thead><tbody>{}</tbody></table>").format(
            head, Markup("").join(_line(row, "td") for row in rows)
        )
    )


def html_table_of_pairs(lines: Iterable[tuple[str, str]]) -> str:
    """(what, value), the values below each other."""
    row = Markup("<tr><th style='text-align:left'>{}</th><td style='text-align:left'>{}</td></tr>")
    body = Markup("").join(row.format(_plain(what), _plain(value)) for what, value in lines)
    return str(Markup("<table><tbody>{}</tbody></table>").format(body))


def _line(values: Sequence[str], tag: str) -> Markup:
    cell = Markup(f"<{tag}>{{}}</{tag}>")  # noqa: S704 - th or td
    return Markup("<tr>{}</tr>").format(Markup("").join(cell.format(_plain(value)) for value in values))


def _plain(text: str) -> Markup:
    return escape(printable(text))
