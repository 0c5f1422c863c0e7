"""What the commands that train say while they work, and at the end."""

from __future__ import annotations

import sys
from typing import Any

from freeal.events import Event, Notice, Progress, RoundFinished
from freeal.results.metrics_summary import figures

EXIT_OK, EXIT_FAILED, EXIT_BUDGET, EXIT_CONFIG = 0, 1, 3, 78
"""What the commands end with."""


def print_figures(metrics: dict[str, Any]) -> None:
    """The figures of a finished model on stdout."""
    for what, value in figures(metrics):
        print(f"{what:<44} {value}")


class Reporter:
    """Says on stderr what happens: one line per stage of a round, and every tenth of a stage."""

    def __init__(self) -> None:
        self._last: tuple[str, int, int] | None = None

    def __call__(self, event: Event) -> None:
        """Print what is worth a line."""
        match event:
            case Notice(message):
                print(f"note: {message}", file=sys.stderr)
            case Progress(stage, number, done, total, unit) if total:
                tenth = (stage, number, 10 * done // total)
                if tenth != self._last:
                    self._last = tenth
                    place = f"round {number} " if number else ""
                    print(f"{place}{stage}: {done} of {total} {unit}", file=sys.stderr)
            case RoundFinished(number, metrics):
                known = {
                    name: metrics[name]
                    for name in ("clean", "agreement", "llm_accuracy", "student_accuracy")
                    if name in metrics
                }
                print(
                    f"round {number} finished: {', '.join(f'{name} {value}' for name, value in known.items())}",
                    file=sys.stderr,
                )
            case _:
                pass
