"""A finished classifier, or a dataset folder, on the Hugging Face hub: what would be sent is said first."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Literal, Protocol

from freeal.errors import ConfigError, FreealError, Where
from freeal.files.model_folders import classifier_folder
from freeal.student.model_folder import student_metadata
from freeal.types import TFIDF

Kind = Literal["model", "dataset"]


class HubApi(Protocol):
    """The part of `huggingface_hub.HfApi` that is used."""

    def create_repo(self, repo_id: str, *, repo_type: str, private: bool, exist_ok: bool) -> Any:
        """Make the repository, if it is not there."""

    def upload_folder(
        self, *, repo_id: str, folder_path: str, repo_type: str, commit_message: str, allow_patterns: list[str]
    ) -> Any:
        """Send the files in one commit."""


@dataclasses.dataclass(frozen=True, slots=True)
class Upload:
    """What is sent: each file with its size in bytes, where to, and whether others can see it."""

    folder: Path
    repo: str
    kind: Kind
    private: bool
    files: dict[str, int]
    holds_texts: bool
    """Whether words or texts of rows may be among it: a dataset is made of them, and the pickle of a caller's own
    student may hold any; a classifier of ours has none."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return dataclasses.asdict(self) | {
            "folder": str(self.folder),
            "bytes": sum(self.files.values()),
        }


def planned_upload(folder: Path, repo: str, *, kind: Kind = "model", private: bool = True) -> Upload:
    """What `push_to_hub` would send. Sends nothing and asks nobody.

    Raises `ConfigError` for what can be no repository, and `ModelFolderError` for what is no classifier.
    """
    if repo.count("/") != 1 or not all(part.strip(".-") for part in repo.split("/")):
        raise ConfigError(f"{repo!r} is no repository", where=Where(key="--repo"), hint="write owner/name")
    if kind == "model":
        folder = classifier_folder(folder)
        holds_texts = student_metadata.read_card(folder).mode in (student_metadata.OWN, TFIDF)
    elif not (folder / "README.md").is_file():
        hint = "write it first: freeal export dataset"
        raise ConfigError("is no dataset folder: it has no README.md", where=Where(file=folder), hint=hint)
    else:
        holds_texts = True
    files = {
        str(path.relative_to(folder)): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }
    return Upload(folder, repo, kind, private, files, holds_texts)


def push_to_hub(upload: Upload, *, api: HubApi | None = None) -> str:
    """Send what was planned, and no other file, in one commit; the address of what came of it.

    Raises `FreealError` where the hub refuses or cannot be reached.
    """
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    used = api or _default_api()
    try:
        used.create_repo(upload.repo, repo_type=upload.kind, private=upload.private, exist_ok=True)
        sent = used.upload_folder(
            repo_id=upload.repo,
            folder_path=str(upload.folder),
            repo_type=upload.kind,
            commit_message="Upload from FreeAL",
            allow_patterns=list(upload.files),
        )
    except (HfHubHTTPError, OfflineModeIsEnabled, OSError) as cause:
        hint = "see the token (HF_TOKEN, or `hf auth login`) and whether you may write there"
        raise FreealError(f"{upload.repo}: could not be sent: {cause}", hint=hint) from cause
    return str(sent)


def _default_api() -> HubApi:
    from huggingface_hub import HfApi

    api: HubApi = HfApi()
    return api
