"""The server's bill beside our figures after many kills, as a table."""

from __future__ import annotations

import dataclasses

from bill import Account


@dataclasses.dataclass
class _Row:
    accounts: int = 0
    wrong: int = 0
    billed_usd: float = 0.0
    usd: float = 0.0
    most_usd: float = 0.0

    def add(self, account: Account) -> None:
        self.accounts += 1
        self.wrong += not account.holds
        self.billed_usd += account.billed_usd
        self.usd += account.usd
        self.most_usd += account.usd + account.unconfirmed_usd

    def cells(self) -> str:
        return f"{self.accounts} | {self.wrong} | {self.usd:.5f} | {self.billed_usd:.5f} | {self.most_usd:.5f}"


class BillTable:
    """Counts accounts by what was killed. *wrong*: more booked than billed, or more billed than in both figures."""

    def __init__(self) -> None:
        self._rows: dict[str, _Row] = {}

    @property
    def is_clean(self) -> bool:
        """Whether every account holds."""
        return not any(row.wrong for row in self._rows.values())

    def add(self, account: Account) -> None:
        """Count one."""
        self._rows.setdefault(account.when, _Row()).add(account)

    def markdown(self) -> str:
        """A row per kind, dollars summed over its accounts."""
        head = "| after | accounts | wrong | `usd` | the bill | `usd` + `unconfirmed_usd` |"
        line = "| --- | ---: | ---: | ---: | ---: | ---: |"
        return "\n".join([head, line, *(f"| {when} | {row.cells()} |" for when, row in sorted(self._rows.items()))])
