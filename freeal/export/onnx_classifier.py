"""An exported classifier, run with onnxruntime and tokenizers alone: neither torch nor transformers is loaded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from freeal.errors import ConfigError, CorruptModelError, Where

MODEL, TOKENIZER, CARD = "model.onnx", "tokenizer.json", "classifier.json"
INSTALL = "install freeal-daemon[onnx]"


class OnnxClassifier:
    """The folder that `freeal export onnx` wrote, loaded. `labels` are in the order of the probabilities; `thresholds`
    are those of a classifier that gives several labels, else empty."""

    def __init__(self, folder: Path) -> None:
        """Raises `ConfigError` without onnxruntime and `CorruptModelError` for a folder that cannot be used."""
        try:
            import onnxruntime
            from tokenizers import Tokenizer
        except ImportError as cause:
            raise ConfigError(f"{cause.name} is not installed", hint=INSTALL) from cause
        for name in (MODEL, TOKENIZER, CARD):
            if not (folder / name).is_file():
                raise CorruptModelError("is missing", where=Where(file=folder / name), hint="export the model again")
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        self.labels: tuple[str, ...] = tuple(card["labels"])
        self.thresholds: tuple[float, ...] = tuple(card.get("thresholds", ()))
        self._tokenizer: Any = Tokenizer.from_file(str(folder / TOKENIZER))
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            str(folder / MODEL), sess_options=options, providers=["CPUExecutionProvider"]
        )

    def predict_proba(self, texts: Sequence[str], *, batch_size: int = 64) -> np.ndarray:
        """Probabilities, float32 [texts, labels], in the order of `texts`; like lengths are computed together."""
        read = self._tokenizer.encode_batch_fast(list(texts))
        lengths = np.array([sum(one.attention_mask) for one in read], dtype=np.int64)
        proba = np.empty((len(texts), len(self.labels)), dtype=np.float32)
        order = np.argsort(lengths, kind="stable")
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            longest = int(lengths[batch].max())
            given = {
                "input_ids": np.array([read[place].ids[:longest] for place in batch], dtype=np.int64),
                "attention_mask": np.array([read[place].attention_mask[:longest] for place in batch], dtype=np.int64),
            }
            proba[batch] = self._session.run(None, given)[0]
        return proba
