"""What a command tells a program: one JSON object on stdout, and nothing else there."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any


def print_json(content: Mapping[str, Any]) -> None:
    """One object."""
    json.dump(content, sys.stdout, ensure_ascii=False, indent=2)
    sys.stdout.write("\n")
