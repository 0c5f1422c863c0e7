"""One file of results that several benchmarks write to: each replaces what stands between its own two marks."""

from __future__ import annotations

from pathlib import Path

from freeal.files import atomic_write


def replace(file: Path, name: str, text: str) -> None:
    """Put `text` between `<!-- name:begin -->` and `<!-- name:end -->`; a file or section that is not there is made.

    Raises ValueError when one of the two marks is missing or they stand the wrong way round.
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    content = file.read_text(encoding="utf-8") if file.exists() else ""
    section = f"{begin}\n\n{text.strip()}\n\n{end}"
    if begin not in content and end not in content:
        content = f"{content.rstrip()}\n\n{section}\n".lstrip()
    else:
        before, found_begin, rest = content.partition(begin)
        _, found_end, after = rest.partition(end)
        if not found_begin or not found_end:
            raise ValueError(f"{file}: the marks {begin} and {end} must both stand there, in this order")
        content = before + section + after
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write.writing(file) as stream:
        stream.write(content)
