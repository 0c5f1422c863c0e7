"""The labelled rows of a finished version, for those who write them in other forms."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from freeal.pool.text_pool import EMPTY
from freeal.results import previous_version
from freeal.results.previous_version import Earlier
from freeal.table import Row
from freeal.text.joined_labels import parts
from freeal.types import Decision, Kind


@dataclasses.dataclass(frozen=True, slots=True)
class LabelledRow:
    """One row: its `number` (from 1, without the header), its values by column, the text the models saw ("" for none),
    the true label where one is known, and what was decided (None for a row without text)."""

    number: int
    values: dict[str, str]
    text: str
    truth: str | None
    decision: Decision | None

    @property
    def label(self) -> str | None:
        """The final label, None where there is none."""
        return None if self.decision is None else self.decision.label

    def labels(self, kind: Kind) -> list[str] | None:
        """The final labels, one unless a text may have several; None where there is no answer."""
        return None if self.label is None else list(parts(self.label, kind))


def read(version: Path) -> tuple[Earlier, list[LabelledRow]]:
    """A version and its rows, in order. Raises `CorruptModelError`."""
    earlier = previous_version.read_version(version)
    return earlier, list(_labelled_rows(earlier))


def _labelled_rows(earlier: Earlier) -> Iterator[LabelledRow]:
    pool, header = earlier.pool, earlier.table.header
    truth = pool.truth or (None,) * len(pool.row_index)
    places: list[tuple[Row, int, str | None]] = list(zip(earlier.table.rows, pool.row_index, truth, strict=True))
    for number, (row, index, true) in enumerate(places, start=1):
        has_text = index != EMPTY
        yield LabelledRow(
            number=number,
            values=dict(zip(header, row, strict=True)),
            text=pool.texts[index] if has_text else "",
            truth=true,
            decision=earlier.decisions[index] if has_text else None,
        )
