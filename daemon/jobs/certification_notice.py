"""What a job left whose file was a filled blind sheet: figures, and no version."""

from __future__ import annotations

import json
from pathlib import Path

from freeal.results import metrics_as_text


def certification_in(output: Path) -> str | None:
    """What to tell of a sheet that was read: the figures in the output of its run, in words; None where that is a
    version, or there is none."""
    try:
        found = json.loads((output / metrics_as_text.CERTIFICATE).read_text(encoding="utf-8"))
        said = metrics_as_text.certified_in_words(found)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):  # cut off or not ours: the sheet is read again
        return None
    return "; ".join(f"{what}: {value}" for what, value in said) or "the sheet is read"
