"""Lines for a terminal, folded with an indent; for a pipe as they are, each a whole."""

from __future__ import annotations

import textwrap

from rich.console import Console

from freeal.text.printable_text import visible

LEAST_WIDTH = 30


def say(console: Console, line: str, *, indent: int = 0, style: str | None = None) -> None:
    """Print a line. What is unsafe to print in it is made visible."""
    line = " " * indent + visible(line)
    if console.is_terminal:
        further = " " * (indent + 2)
        line = textwrap.fill(
            line,
            max(LEAST_WIDTH, console.width),
            subsequent_indent=further,
            drop_whitespace=True,
            replace_whitespace=False,
            break_on_hyphens=False,
        )
    console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)
