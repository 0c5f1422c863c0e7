"""Which provider is asked about a version (daemon/limits/provider_of_version.py)."""

from __future__ import annotations

import json

import pytest

from daemon.limits.provider_of_version import provider_of_version
from freeal.errors import CorruptModelError, CredentialsError
from freeal.settings import LlmSettings

SPEC = {"name": "m", "description": "?", "labels": {"a": "", "b": ""}}


@pytest.fixture
def version(tmp_path):
    """A version that Claude annotated, in which nobody named the provider."""
    (tmp_path / "run.json").write_text(json.dumps({"spec": SPEC}))
    told = {"llm": {"provider": "anthropic", "model": "claude-haiku-5-5"}}
    (tmp_path / "metrics.json").write_text(json.dumps(told))
    return tmp_path


def test_it_is_the_one_that_annotated(version, monkeypatch):
    """And none in this machine's memory where its key is missing, unless the settings say so."""
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    with pytest.raises(CredentialsError, match="no Anthropic key"):
        provider_of_version(version, LlmSettings(), key_folder=version)
    assert "local" == provider_of_version(version, LlmSettings(provider="local"), key_folder=version)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-test")
    assert "anthropic" == provider_of_version(version, LlmSettings(), key_folder=version)


def test_a_version_without_a_spec_is_named(version):
    """By the file that lacks it."""
    (version / "run.json").write_text("{}")
    with pytest.raises(CorruptModelError, match="no valid spec") as raised:
        provider_of_version(version, LlmSettings(), key_folder=version)
    assert "run.json" in str(raised.value)
