"""Makes the cells of a report's confusion matrices links to their rows. The report itself, which also lies in a folder
without a service, only says which rows a cell counts (freeal/report/charts/confusion_matrix.py)."""

from __future__ import annotations

import html
import re
from urllib.parse import quote

_PICTURE = re.compile(r"<svg\b.*?</svg>", re.DOTALL)
_CELL = re.compile(r'<g data-rows="([^"]*)">(.*?)</g>', re.DOTALL)
_TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL)


def with_row_links(page: str, *, model: str, version: str) -> str:
    """The report of a version with links to the page of its rows."""
    address = f"/models/{quote(model)}/rows?version={quote(version)}&exactly=1"  # of several labels these and no others

    def cell(match: re.Match[str]) -> str:
        title = _TITLE.search(match[2])
        name = title[1].strip() if title else "these rows"
        return f'<a href="{html.escape(address)}&amp;{match[1]}" aria-label="{name}: show them">{match[2]}</a>'

    def picture(match: re.Match[str]) -> str:
        if "data-rows=" not in match[0]:
            return match[0]
        # what is one image to a screen reader can hold no links
        return _CELL.sub(cell, match[0].replace('role="img"', 'role="group"', 1))

    return _PICTURE.sub(picture, page)
