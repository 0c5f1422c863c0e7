"""freeal.yaml: the operator's settings, read once at the edge and handed down frozen."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    BaseModel,
    Field,
    HttpUrl,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
)

from freeal.errors import ConfigError, Where
from freeal.files import home_folder
from freeal.settings import LlmSettings, LoopSettings, PredictSettings, RaySettings, Section, StudentSettings
from freeal.spec import yaml_reader

DEFAULT_FILE = Path("freeal.yaml")


class WatchSettings(Section):
    """How new files are noticed."""

    mode: Literal["auto", "native", "poll", "off"] = Field(
        "auto",
        description="native = kernel events; poll = look often; auto = native where events can be relied on, "
        "else poll; off = rescans alone",
    )
    stability_seconds: NonNegativeFloat = Field(2.0, description="a file is taken once it stood still for this long")
    rescan_seconds: PositiveFloat = Field(30.0, description="everything is looked at anew this often, events or not")
    poll_seconds: PositiveFloat = Field(
        5.0, description="it is this often instead while events of some folder cannot be had or relied on"
    )
    pair_timeout_seconds: NonNegativeFloat = Field(
        60.0,
        description="a CSV without a spec is given inbox/_default.yaml, or a note what is missing, after this long",
    )


class JobSettings(Section):
    """Training jobs as processes."""

    parallel: PositiveInt = Field(
        2, description="training jobs at once, each a process of its own; one of them computes, the others ask and wait"
    )
    keep_versions: PositiveInt = Field(5, description="finished versions kept per model; the current one always stays")
    stall_minutes: PositiveFloat = Field(
        60.0, description="a process that tells of no progress for so long is ended, and its job tried once more"
    )
    min_free_disk_mb: NonNegativeInt = Field(
        500, description="no job and no prediction works with less room (megabytes)"
    )


class LogSettings(Section):
    """What is said on stderr."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="least severe line shown")
    format: Literal["auto", "console", "json"] = Field(
        "auto", description="auto = console on a terminal, one JSON object per line otherwise"
    )


class WebSettings(Section):
    """The live page."""

    enabled: bool = Field(default=False, description="serve the live page while the service runs (extra `web`)")
    host: str = Field("127.0.0.1", description="address to listen on; beyond loopback the page only shows")
    port: int = Field(8765, ge=0, le=65535, description="port to listen on; 0 = any free one")
    allowed_hosts: tuple[str, ...] = Field((), description="further names the page is reached by, behind a proxy say")
    token_file: Path | None = Field(
        None, description="file with the token that allows to act; null = none is asked for"
    )
    max_upload_mb: PositiveInt = Field(200, description="largest upload (megabytes)")


Told = Literal["done", "failed", "cancelled", "paused", "waiting"]


class NotifySettings(Section):
    """Who is told that a job has come to an end, or waits for its owner."""

    states: tuple[Told, ...] = Field(
        ("done", "failed", "waiting"),
        description="of which states somebody is told: done, failed, cancelled, paused, waiting (for a pilot's owner)",
    )
    command: tuple[str, ...] | None = Field(
        None,
        description="a program with its arguments, run without a shell; {message}, {job}, {model} and {state} in them "
        "are filled in, and the same comes as JSON on its stdin",
    )
    url: HttpUrl | None = Field(None, description="an address that the same JSON is sent to by POST")
    timeout_seconds: PositiveFloat = Field(10.0, description="how long the command, and the address, may take")

    @field_validator("command")
    @classmethod
    def _names_a_program(cls, command: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if command is not None and not (command and command[0].strip()):
            raise ValueError("names no program")
        return command


class Settings(Section):
    """All of freeal.yaml. Folders are absolute after `load`."""

    inbox: Path = Field(Path("inbox"), description="where CSVs and their specs are dropped")
    models: Path = Field(Path("models"), description="where results appear, one folder per model")
    state: Path = Field(Path(".state"), description="journal, work in progress, answer store")
    watch: WatchSettings = WatchSettings()
    llm: LlmSettings = LlmSettings()
    student: StudentSettings = StudentSettings()
    loop: LoopSettings = LoopSettings()
    predict: PredictSettings = PredictSettings()
    ray: RaySettings = RaySettings()
    jobs: JobSettings = JobSettings()
    log: LogSettings = LogSettings()
    web: WebSettings = WebSettings()
    notify: NotifySettings = NotifySettings()

    @property
    def work(self) -> Path:
        """Claimed inputs and the resumable state of jobs."""
        return self.state / "work"

    @property
    def answers(self) -> Path:
        """The answer store, shared by all jobs."""
        return self.state / "answers.sqlite"


@dataclasses.dataclass(frozen=True)
class Loaded:
    """The effective settings and where each came from."""

    settings: Settings
    base: Path
    """The folder relative paths resolve against, and where api_key.py may stand."""
    sources: Mapping[str, str]
    """`llm.concurrency` -> `freeal.yaml:12`, `default`, or the environment variable."""
    file: Path | None = None
    """The file they were read from, or were looked for in vain: read again on SIGHUP."""


def load(path: Path | None, *, environment: Mapping[str, str] = os.environ) -> Loaded:
    """Read freeal.yaml. Without `path` the one in the current folder is used where there is one.

    Raises `ConfigError` naming file, line, key and the nearest known key.
    """
    if path is None and not DEFAULT_FILE.exists():
        document = yaml_reader.Document(Path.cwd() / DEFAULT_FILE, {}, {})
    else:
        document = yaml_reader.load((path or DEFAULT_FILE).absolute(), ConfigError)
    base = document.path.parent
    from_environment: dict[str, str] = {}
    if "state" not in document.data and (folder := environment.get("STATE_DIRECTORY")):
        document.data["state"] = folder.split(":")[0]
        from_environment["state"] = "$STATE_DIRECTORY"
    _drop_empty_sections(document.data)
    settings = yaml_reader.validate(Settings, document, ConfigError)
    folders = {
        name: base / home_folder.expanded_home(getattr(settings, name), document.where((name,)))
        for name in ("inbox", "models", "state")
    }
    if settings.web.token_file is not None:
        home_folder.expanded_home(settings.web.token_file, document.where(("web", "token_file")))
    _refuse_shared_folders(folders, document)
    settings = settings.model_copy(update=folders)
    sources = {
        key: from_environment.get(key) or _source(document, tuple(key.split(".")))
        for key, _ in flatten_settings(settings)
    }
    return Loaded(settings, base, sources, document.path)


def flatten_settings(settings: BaseModel, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted key, value) of every leaf, in the order of the file."""
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            yield from flatten_settings(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _drop_empty_sections(data: dict[str, Any]) -> None:
    for key in [key for key, value in data.items() if value is None]:
        del data[key]  # `llm:` with every key commented out means the defaults


def _refuse_shared_folders(folders: Mapping[str, Path], document: yaml_reader.Document) -> None:
    seen: dict[Path, str] = {}
    for name, folder in folders.items():
        other = seen.setdefault(Path(os.path.normpath(folder)), name)
        if other != name:
            where = Where(file=document.path, line=document.lines.get((name,)), key=name)
            raise ConfigError(f"is the same folder as {other!r}", where=where, hint="give each a folder of its own")


def _source(document: yaml_reader.Document, key: tuple[str, ...]) -> str:
    line = document.lines.get(key)
    return "default" if line is None else f"{document.path.name}:{line}"
