"""What stands above a table of results: the command that made it, and with what."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import place


def command(target: str, given: argparse.Namespace, parser: argparse.ArgumentParser) -> str:
    """`make target` with the options that are not at their default; where the result is written is none of them."""
    defaults = vars(parser.parse_args([]))
    changed = [
        f"--{name.replace('_', '-')} {_written(value)}"
        for name, value in vars(given).items()
        if name not in {"write", "note"} and value != defaults[name]
    ]
    arguments = f' ARGS="{" ".join(changed)}"' if changed else ""
    return f"`make {target}{arguments}`"


def _written(value: object) -> str:
    """As it stands on the command line: one argument with commas, or several."""
    if isinstance(value, tuple | list):
        return ("," if isinstance(value, tuple) else " ").join(map(str, value))
    return str(value)


def source(packages: Sequence[str]) -> str:
    """Machine, versions of `packages`, and the commit, as a list."""
    found = place.origin(packages)
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    commit = f"{found['commit']}, measured {str(found['date'])[:10]}"
    return f"- machine: {found['machine']}\n- versions: {versions}\n- source: {commit}"
