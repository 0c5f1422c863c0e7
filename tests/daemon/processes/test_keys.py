"""Which process is told which key."""

from __future__ import annotations

import anyio
import pytest

from daemon.processes import process_supervisor
from daemon.processes.message_protocol import Result
from freeal.llm.credentials import environment_for

PROGRAM = """
import json, os
names = sorted(name for name, value in os.environ.items() if value == "planted")
print(json.dumps({"type": "result", "content": {"holds": names}}), flush=True)
"""


@pytest.fixture
def holds(tmp_path, monkeypatch):
    """Start a process as the daemon does, with planted keys around; the names of those it was told."""
    (tmp_path / "tell_environment.py").write_text(PROGRAM)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    names = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "OPENAI_API_KEY", "CREDENTIALS_DIRECTORY", "OTHER")
    environ = {"PYTHONPATH": str(tmp_path)} | dict.fromkeys(names, "planted")
    for name in names:
        monkeypatch.setenv(name, "planted")

    async def converse(environment):
        async with process_supervisor.child("tell_environment", environment=environment) as process:
            return await process_supervisor.converse(
                process,
                "",
                on_event=lambda _: None,
                stop=anyio.Event(),
                silence_seconds=60.0,
                grace_seconds=0.0,
            )

    def told(provider=None):
        answer = anyio.run(converse, environment_for(provider, environ) if provider else None)
        assert isinstance(answer, Result)
        return answer.content["holds"]

    return told


def test_a_process_is_told_no_key_unless_it_needs_one(holds):
    """That is what predictions, the dry run and the probe get; everything else of the environment stays."""
    assert ["OTHER"] == holds()


def test_a_job_is_told_the_key_of_its_provider_only(holds):
    """A job of the local model none."""
    assert ["OTHER"] == holds("local")
    assert ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CREDENTIALS_DIRECTORY", "OTHER"] == holds("anthropic")
    assert ["CREDENTIALS_DIRECTORY", "OPENAI_API_KEY", "OTHER"] == holds("openai")
