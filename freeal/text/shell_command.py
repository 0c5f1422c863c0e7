"""A command of ours as a person can copy it into a shell."""

from __future__ import annotations

import shlex


def freeal_command(*words: object) -> str:
    """`python -m freeal ...`, each word quoted where a shell needs it, as of a folder with a blank in its name."""
    return f"python -m freeal {shlex.join(map(str, words))}"
