"""Which implementations a job gets, and what it is refused."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from freeal.errors import ConfigError, CredentialsError
from freeal.events import ignore
from freeal.job.open_chat_model import open_chat_model
from freeal.job.resolve_provider import resolve_provider
from freeal.settings import LlmSettings


def _open(settings, environ=None):
    async def opening():
        return await open_chat_model(
            settings,
            cache=Path("cache"),
            key_folder=Path("nowhere"),
            device="cpu",
            emit=ignore,
            api_key=None,
            environ=environ or {},
        )

    return anyio.run(opening)


@pytest.mark.parametrize(("environ", "provider"), [({}, "local"), ({"ANTHROPIC_API_KEY": "sk-ant-x"}, "anthropic")])
def test_auto_is_anthropic_with_a_key_and_local_without(environ, provider):
    """A key decides; nothing else of the environment does."""
    found, _ = resolve_provider(LlmSettings(), api_key=None, environ=environ, key_folder=Path("nowhere"))
    assert provider == found


def test_local_never_looks_for_a_key():
    """A privacy rule that forbids the network holds although a key lies about."""
    environ = {"ANTHROPIC_API_KEY": "sk-ant-x"}
    settings = LlmSettings(provider="local")
    assert ("local", None) == resolve_provider(settings, api_key=None, environ=environ, key_folder=Path("nowhere"))


def test_anthropic_without_a_key_is_refused():
    """The error says where a key may stand."""
    with pytest.raises(CredentialsError, match="ANTHROPIC_API_KEY_FILE"):
        _open(LlmSettings(provider="anthropic"))


def test_an_openai_compatible_server_must_be_named():
    """Nobody guesses an address or a model."""
    with pytest.raises(ConfigError, match=r"needs llm\.base_url and llm\.model"):
        _open(LlmSettings(provider="openai"))


@pytest.mark.parametrize("provider", ["local", "openai", "auto"])
def test_batches_of_a_provider_without_them_are_refused(provider):
    """`mode: batch` names the key and the provider, before anything is started; with Anthropic it is taken."""
    settings = LlmSettings(provider=provider, mode="batch")
    with pytest.raises(ConfigError, match=r"llm\.mode.*provider here is (local|openai)"):
        resolve_provider(settings, api_key=None, environ={}, key_folder=Path("nowhere"))
    environ = {"ANTHROPIC_API_KEY": "sk-ant-x"}
    settings = settings.model_copy(update={"provider": "anthropic"})
    assert "anthropic" == resolve_provider(settings, api_key=None, environ=environ, key_folder=Path("nowhere"))[0]
