"""What the kills of one kind of point came to, as a table."""

from __future__ import annotations

import dataclasses

from matrix import Finding, Point

_ROLES = {"daemon": "daemon", "job": "training job", "predict": "predict worker", "other": "helper process"}
_PLACES = (
    ("/rounds", "while a round is kept"),
    ("predict", "while a prediction is claimed, written or put in its place"),
    ("/output", "while results are written or published"),
    ("/versions", "while results are written or published"),
    ("/annotated", "while results are written or published"),
    ("models/reviews", "while results are written or published"),
    ("inbox/done", "while inputs are archived"),
    ("inbox/failed", "while a failed job is put aside"),
    ("inbox", "while a job is claimed"),
    ("/input", "while a job is claimed"),
)
"""What a path says of the moment: the first part that stands in it decides."""


def group(point: Point) -> str:
    """The row of the table a point belongs to."""
    role, what = _ROLES[point.role], point.what
    if what.startswith("call "):
        return f"{role}, in {what.partition(':')[2]}"
    if what.startswith("commit "):
        return f"{role}, before a commit of {what.split()[1].rpartition('/')[2]}"
    return f"{role}, {next((text for part, text in _PLACES if part in what), 'at its start or end')}"


@dataclasses.dataclass
class _Row:
    kills: int = 0
    lost: int = 0
    doubled: int = 0
    leftovers: int = 0

    def add(self, finding: Finding) -> None:
        self.kills += 1
        self.lost += finding.lost
        self.doubled += finding.doubled
        self.leftovers += finding.leftovers

    def cells(self) -> str:
        return f"{self.kills} | {self.lost} | {self.doubled} | {self.leftovers}"


class Table:
    """Counts findings by group."""

    def __init__(self) -> None:
        self._rows: dict[str, _Row] = {}
        self._all = _Row()

    @property
    def is_clean(self) -> bool:
        """Whether there is nothing but zeros."""
        return not (self._all.lost or self._all.doubled or self._all.leftovers)

    def add(self, name: str, finding: Finding) -> None:
        """Count one kill."""
        self._rows.setdefault(name, _Row()).add(finding)
        self._all.add(finding)

    def markdown(self) -> str:
        """Groups by name, the sum last."""
        lines = ["| killed | kills | lost | doubled | leftovers |", "| --- | ---: | ---: | ---: | ---: |"]
        lines += [f"| {name} | {row.cells()} |" for name, row in sorted(self._rows.items())]
        return "\n".join([*lines, f"| all | {self._all.cells()} |"])
