"""The settings a cell runs with: its own, and over them those of its method."""

from __future__ import annotations

import llms
from cells import Cell
from methods import METHODS
from place import Folders

from freeal.settings import LlmSettings, LoopSettings, StudentSettings


def llm_settings(cell: Cell, folders: Folders) -> LlmSettings:
    """A model in this machine's memory. Raises LookupError when the package of its weights is missing."""
    own = {"provider": "local", "model": llms.model_of(cell.llm, folders.cache)}
    return LlmSettings(**own | _overrides(cell, "llm"))


def student_settings(cell: Cell) -> StudentSettings:
    """The student of the cell, seeded by the cell."""
    own = {"model": cell.student, "seed": cell.seed, "epochs": cell.epochs}
    return StudentSettings(**own | _overrides(cell, "student"))


def loop_settings(cell: Cell) -> LoopSettings:
    """The defaults, with as many rounds as the cell says."""
    own = {} if cell.iterations is None else {"iterations": cell.iterations}
    return LoopSettings(**own | _overrides(cell, "loop"))


def _overrides(cell: Cell, section: str) -> dict[str, object]:
    return dict(METHODS[cell.method].overrides.get(section, {}))
