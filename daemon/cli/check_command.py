"""`check`: is everything in place? One line each, `ok` or what to do. Nothing is asked or fetched.

A server named by `llm.base_url` has to take a connection.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import anyio
from rich.console import Console

from daemon.cli.json_output import print_json
from daemon.config import Loaded, flatten_settings
from daemon.outbox.publish_prediction import require_prediction_output
from daemon.processes.ask_child_once import ask_once
from daemon.processes.message_protocol import Failure, Result
from daemon.service.service_folders import prepare_folders
from daemon.web.web_enabled import web_outlook
from freeal.errors import ConfigError, FreealError
from freeal.job.resolve_provider import resolve_provider
from freeal.llm.endpoint_url import ADDRESSES
from freeal.llm.network_route import route_to
from freeal.money.prices import without_price

PROBE = "daemon.processes.entry_points.check_models"
MEGABYTE = 1_000_000
CONNECT_SECONDS = 3.0
OK, CONFIGURATION = 0, 78


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, whether it is well, and what there is or what to do."""

    subject: str
    is_well: bool
    text: str


def check(
    loaded: Loaded, console: Console, *, as_json: bool = False, environment: Mapping[str, str] = os.environ
) -> int:
    """Print the effective settings with the source of each, then the findings; 0 when all are well, else 78."""
    if as_json:
        return _check_as_json(loaded, environment)
    for key, value in flatten_settings(loaded.settings):
        console.print(
            f"{key} = {_as_yaml(value)}  [{loaded.sources[key]}]", markup=False, soft_wrap=True, highlight=False
        )
    console.print()
    healthy = True
    for finding in _check_all(loaded, environment):
        healthy &= finding.is_well
        mark = "ok     " if finding.is_well else "PROBLEM"
        console.print(f"{mark}  {finding.subject}: {finding.text}", markup=False, soft_wrap=True, highlight=False)
    return OK if healthy else CONFIGURATION


def _check_as_json(loaded: Loaded, environment: Mapping[str, str]) -> int:
    findings = list(_check_all(loaded, environment))
    healthy = all(finding.is_well for finding in findings)
    settings = {
        key: {"value": str(value) if isinstance(value, Path) else value, "source": loaded.sources[key]}
        for key, value in flatten_settings(loaded.settings)
    }
    print_json({"ok": healthy, "findings": [dataclasses.asdict(one) for one in findings], "settings": settings})
    return OK if healthy else CONFIGURATION


def _as_yaml(value: object) -> str:
    """As the value would be written in freeal.yaml."""
    return str(value) if isinstance(value, str | Path) else json.dumps(value, ensure_ascii=False)


def _check_all(loaded: Loaded, environment: Mapping[str, str]) -> Iterator[Finding]:
    yield from _check_folders(loaded)
    yield _check_language_model(loaded, environment)
    if loaded.settings.web.enabled:
        yield _check_live_page(loaded, environment)
    if loaded.settings.predict.output != "csv":
        yield _check_prediction_output(loaded)
    yield from _check_student_and_device(loaded)


def _check_folders(loaded: Loaded) -> Iterator[Finding]:
    settings = loaded.settings
    try:
        prepare_folders(settings)
    except FreealError as error:
        yield Finding("folders", is_well=False, text=str(error))
        return
    for name, folder in {"inbox": settings.inbox, "models": settings.models, "state": settings.state}.items():
        yield _check_writable(name, folder)
    free_mb = min(shutil.disk_usage(folder).free for folder in (settings.models, settings.state)) // MEGABYTE
    least = settings.jobs.min_free_disk_mb
    enough = free_mb >= least
    yield Finding("disk", is_well=enough, text=f"{free_mb} MB free" + ("" if enough else f"; {least} MB are needed"))


def _check_writable(name: str, folder: Path) -> Finding:
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".check.", suffix=".tmp"):
            return Finding(name, is_well=True, text=str(folder))
    except OSError as error:
        return Finding(name, is_well=False, text=f"{folder} cannot be written to: {error.strerror}")


def _check_language_model(loaded: Loaded, environment: Mapping[str, str]) -> Finding:
    llm = loaded.settings.llm
    try:
        provider, key = resolve_provider(llm, api_key=None, environ=environment, key_folder=loaded.base)
        way = "".join(_check_route_to_provider(provider, url, environment) for url in llm.base_urls or (None,))
    except FreealError as error:
        return Finding("language model", is_well=False, text=str(error))
    source = f", key from {key.source}" if key else ""
    note = " (no key found: a small model in this machine's memory)" if llm.provider == "auto" and not key else ""
    if without_price(llm):
        note += "; its price is not known, so what it costs is not counted: set llm.prices, 0 where it is free"
    return Finding(
        "language model", is_well=True, text=f"{provider}, {llm.model or 'default model'}{way}{source}{note}"
    )


def _check_route_to_provider(provider: str, base_url: str | None, environment: Mapping[str, str]) -> str:
    """Address, proxy and what decided them, for a model over a network. Raises `ConfigError` where it cannot be gone;
    a server of one's own has to answer the door, too."""
    if provider not in ADDRESSES:
        return ""
    route = route_to(base_url or ADDRESSES[provider], environment)
    route.tls_context()
    reason = route.why_unreachable(timeout_seconds=CONNECT_SECONDS) if base_url else None
    if reason is not None:
        raise ConfigError(f"{provider} at {route} cannot be reached: {reason}", hint=route.advice_on_failure(reason))
    return f", at {route}"


def _check_prediction_output(loaded: Loaded) -> Finding:
    try:
        require_prediction_output(loaded.settings)
    except FreealError as error:
        return Finding("predictions", is_well=False, text=str(error))
    return Finding("predictions", is_well=True, text=f"published as {loaded.settings.predict.output}")


def _check_live_page(loaded: Loaded, environment: Mapping[str, str]) -> Finding:
    try:
        return Finding("live page", is_well=True, text=web_outlook(loaded, environment))
    except FreealError as error:
        return Finding("live page", is_well=False, text=str(error))


def _check_student_and_device(loaded: Loaded) -> Iterator[Finding]:
    answer = anyio.run(ask_once, PROBE, loaded.settings.student.model_dump_json())
    if isinstance(answer, Result):
        yield Finding("student", is_well=True, text=f"{answer.content['encoder']}")
        yield Finding("GPU", is_well=True, text=f"students train on {answer.content['device']}")
    else:
        error = answer.as_error() if isinstance(answer, Failure) else "no answer"
        yield Finding("student", is_well=False, text=str(error))
