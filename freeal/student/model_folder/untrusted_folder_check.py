"""What a model folder may hold before anything of it is loaded: anybody who can write there could have made it.

transformers reads safetensors only and runs no code when told so; this refuses, with the reason, what only makes sense
with either, so that nothing depends on one option of one library alone.
"""

from __future__ import annotations

import json
from pathlib import Path

from freeal.errors import CorruptModelError, Where

CODE_SUFFIXES = frozenset(
    {".py", ".so", ".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".h5", ".keras", ".msgpack"}
)
"""Code, or formats that can carry it."""

CONFIGS = ("config.json", "tokenizer_config.json", "special_tokens_map.json", "generation_config.json")
CODE_KEYS = frozenset({"auto_map", "custom_pipelines", "transformers_weights", "quantization_config"})
"""Keys by which such a file names code, or other weights than those beside it."""

_HINT = "train the model again, or restore its folder from a copy: what is made here holds nothing of the kind"


def check_untrusted_folder(folder: Path) -> None:
    """Raises `CorruptModelError` naming the file, and the key, by which a model folder asks for code to be run."""
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in CODE_SUFFIXES or path.name == "adapter_config.json":
            problem = "is refused: weights are read from model.safetensors alone, and nothing of the folder is executed"
            raise CorruptModelError(problem, where=Where(file=path), hint=_HINT)
    for path in (folder / name for name in CONFIGS):
        if path.is_file():
            _check_config_keys(path)


def _check_config_keys(path: Path) -> None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as cause:
        hint = "train the model again, or restore its folder from a copy"
        raise CorruptModelError("is not valid JSON", where=Where(file=path), hint=hint) from cause
    for key in sorted(CODE_KEYS & set(content)) if isinstance(content, dict) else ():
        problem = "is refused: it names code to be run, or other weights than those beside it"
        raise CorruptModelError(problem, where=Where(file=path, key=key), hint=_HINT)
