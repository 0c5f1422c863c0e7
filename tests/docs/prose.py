"""The prose of the project: its pages, and the blocks of code in them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = [
    README,
    ROOT / "CONTRIBUTING.md",
    *sorted(DOCS.rglob("*.md")),
    *(ROOT / folder / "README.md" for folder in ("inbox", "models", "systemd")),
]
"""What a reader may copy code from. CHANGELOG.md holds none."""
LANGUAGES = {"sh", "bash", "python", "yaml", "ini", "json", "text", "diff"}
"""What a block may be of: a reader's editor colours it, and a test knows what to do with it."""

_STEP = re.compile(
    r"^<!-- run: (?P<hidden>.+?) -->$"
    r"|(?:^ *<!-- not run: (?P<why>.+?) -->\n)?"
    r'^(?P<indent> *)```(?P<language>\w*)(?: title="(?P<title>[^"]+)")?\n(?P<text>.*?)^(?P=indent)```$',
    re.MULTILINE | re.DOTALL,
)


@dataclasses.dataclass(frozen=True, slots=True)
class Block:
    """A fenced block, or a command in a comment `<!-- run: ... -->` that readers do not see.

    `title` names the file that it is; `why_not` says why it cannot be run here, from `<!-- not run: ... -->` above it.
    """

    page: Path
    line: int
    language: str
    text: str
    title: str | None = None
    why_not: str | None = None

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """Every block of a page, in order."""
    return list(_blocks(page, page.read_text(encoding="utf-8")))


def _blocks(page: Path, source: str) -> Iterator[Block]:
    for found in _STEP.finditer(source):
        line = source.count("\n", 0, found.start()) + 1
        if found["hidden"]:
            yield Block(page, line, "sh", found["hidden"] + "\n")
            continue
        text = "".join(piece.removeprefix(found["indent"]) for piece in found["text"].splitlines(keepends=True))
        yield Block(page, line, found["language"], text, found["title"], found["why"])


BLOCKS = [block for page in PAGES for block in blocks(page)]
