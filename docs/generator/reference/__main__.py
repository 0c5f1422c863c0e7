"""Writes docs/reference/ as the code has it.

    python -m docs.generator.reference            writes the pages
    python -m docs.generator.reference --check    says which are no longer what the code says; exit code 1 if any

A page that reads badly is mended in the code it is made from. `tests/docs/test_reference.py` holds the pages to it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from docs.generator.reference import columns_and_metrics, errors_and_commands, settings_and_spec

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "reference"
MADE = "<!-- Made from the code by `python -m docs.generator.reference`: mend it there, then run `make docs`. -->\n"


def pages() -> dict[str, str]:
    """File name -> content, for every page."""
    made = {
        "settings.md": settings_and_spec.settings_page(),
        "spec.md": settings_and_spec.spec_page(),
        "columns.md": columns_and_metrics.columns_page(),
        "metrics.md": columns_and_metrics.metrics_page(),
        "errors.md": errors_and_commands.errors_page(),
        "commands.md": errors_and_commands.commands_page(),
    }
    return {name: f"{MADE}\n{text.strip()}\n" for name, text in made.items()}


def main(arguments: Sequence[str] | None = None, *, folder: Path = FOLDER) -> int:
    """Write the pages into `folder`, or check those in it; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit code 1 where a page is not up to date"
    )
    check = parser.parse_args(arguments).check
    folder.mkdir(parents=True, exist_ok=True)
    old = []
    for name, text in pages().items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            old.append(path)
            if not check:
                path.write_text(text, encoding="utf-8")
    for path in old:
        print(f"{path}: {'is not what the code says; run `make docs`' if check else 'written'}")
    return 1 if old and check else 0


if __name__ == "__main__":
    raise SystemExit(main())
