"""What went wrong with work that no file stands for, and is not mended yet: told by `status` as a problem."""

from __future__ import annotations

from daemon.host.fault_guard import Fault

MOST = 50
"""The oldest goes for the newest."""


class FaultRegister:
    """Reasons by unit of work; pure."""

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}

    def note_fault(self, unit: str, fault: Fault) -> None:
        """This unit did not come to its end."""
        self._reasons.pop(unit, None)
        self._reasons[unit] = str(fault.error)
        while len(self._reasons) > MOST:
            del self._reasons[next(iter(self._reasons))]

    def clear(self, unit: str) -> None:
        """It did, this time."""
        self._reasons.pop(unit, None)

    def settle_fault(self, unit: str, fault: Fault | None) -> None:
        """Note the fault of a unit, or that it has none any more."""
        if fault is None:
            self.clear(unit)
        else:
            self.note_fault(unit, fault)

    def told(self) -> list[str]:
        """A sentence each."""
        return [f"{unit}: {reason}" for unit, reason in self._reasons.items()]
