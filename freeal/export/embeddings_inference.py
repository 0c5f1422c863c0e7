"""Whether text-embeddings-inference can serve a model folder: read as that server reads it (router/src/lib.rs and
backends/candle/src/models/bert.rs of its source), without it.

It takes a classifier for one by the end of its architecture's name, wants both label maps, a tokenizer.json, and the
tensors of BERT or RoBERTa by their names; it classifies from the first token. BERT's pooler (`bert.pooler.dense`, then
tanh) is applied since its tensors are read; earlier releases leave it out and answer something else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_WHOLE_NUMBERS = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
    "type_vocab_size",
    "pad_token_id",
)
_HEADS = {
    "bert": ("bert", {"classifier": "labels", "bert.pooler.dense": "hidden"}),
    "roberta": ("roberta", {"classifier.dense": "hidden", "classifier.out_proj": "labels"}),
    "xlm-roberta": ("roberta", {"classifier.dense": "hidden", "classifier.out_proj": "labels"}),
    "camembert": ("roberta", {"classifier.dense": "hidden", "classifier.out_proj": "labels"}),
}
"""By model type: the prefix of the encoder's tensors, and the head's linear layers with what they give."""


def faults(folder: Path) -> list[str]:
    """Why the server would refuse the folder, or misread it; nothing where it would serve it."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as cause:
        return [f"config.json cannot be read: {cause}"]
    return [*_faults_of_config(config), *_faults_of_tokenizer(folder), *_faults_of_tensors(folder, config)]


def _faults_of_config(config: dict[str, Any]) -> Iterator[str]:
    if not any(str(name).endswith("Classification") for name in config.get("architectures") or ()):
        yield "architectures names no ...Classification: it would be taken for an embedding model"
    to_label, to_id = config.get("id2label"), config.get("label2id")
    if not isinstance(to_label, dict) or not all(isinstance(name, str) for name in to_label.values()):
        yield "id2label is no map of texts to texts"
    elif not isinstance(to_id, dict) or {name: str(number) for name, number in to_id.items()} != {
        name: number for number, name in to_label.items()
    }:
        yield "label2id is not the reverse of id2label"
    if config.get("problem_type") == "multi_label_classification":
        yield "problem_type is multi_label_classification: the server makes one label of each text (softmax)"
    if config.get("model_type") not in _HEADS:
        yield f"model_type {config.get('model_type')!r} is none of {', '.join(_HEADS)}, of which alone this knows"
    if config.get("position_embedding_type", "absolute") != "absolute":
        yield "position_embedding_type is not absolute"
    for key in _WHOLE_NUMBERS:
        if not isinstance(config.get(key), int):
            yield f"{key} is no whole number"


def _faults_of_tokenizer(folder: Path) -> Iterator[str]:
    """What keeps Text Embeddings Inference from reading the tokenizer."""
    from tokenizers import Tokenizer

    try:
        Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as cause:  # noqa: BLE001 - it raises plain Exception
        yield f"tokenizer.json cannot be read: {cause}"


def _faults_of_tensors(folder: Path, config: dict[str, Any]) -> Iterator[str]:
    from safetensors import safe_open

    prefix, head = _HEADS.get(str(config.get("model_type")), ("", {}))
    if not prefix:
        return
    with safe_open(folder / "model.safetensors", framework="np") as file:
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 - no mapping
    hidden, labels = config.get("hidden_size"), len(config.get("id2label") or ())
    size = {"hidden": hidden, "labels": labels}
    wanted: dict[str, tuple[Any, ...]] = {
        f"{prefix}.embeddings.word_embeddings.weight": (config.get("vocab_size"), hidden),
        f"{prefix}.embeddings.token_type_embeddings.weight": (config.get("type_vocab_size"), hidden),
        f"{prefix}.embeddings.position_embeddings.weight": (config.get("max_position_embeddings"), hidden),
    }
    wanted |= {f"{name}.weight": (size[gives], hidden) for name, gives in head.items()}
    wanted |= {f"{name}.bias": (size[gives],) for name, gives in head.items()}
    for layer in range(int(config.get("num_hidden_layers") or 0)):
        at = f"{prefix}.encoder.layer.{layer}"
        for part in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            wanted[f"{at}.{part}.weight"] = (hidden, hidden)
        wanted[f"{at}.intermediate.dense.weight"] = (config.get("intermediate_size"), hidden)
        wanted[f"{at}.output.dense.weight"] = (hidden, config.get("intermediate_size"))
    for name, shape in wanted.items():
        if name not in shapes:
            yield f"the tensor {name} is missing"
        elif shapes[name] != shape:
            yield f"the tensor {name} has the shape {shapes[name]}, not {shape}"
