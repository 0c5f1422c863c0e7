"""Who is asked again about a version: whoever annotated it, unless the settings name another."""

from __future__ import annotations

import json

import pytest

from freeal.errors import ConfigError
from freeal.results.llm_of_version import llm_settings_as_annotated
from freeal.settings import LlmSettings

THEIRS = "http://127.0.0.1:9/v1"


@pytest.fixture
def version(tmp_path):
    """A version by its language model, of which no more is needed."""

    def made(provider, base_url=None):
        (tmp_path / "metrics.json").write_text(json.dumps({"llm": {"provider": provider, "model": "theirs"}}))
        (tmp_path / "run.json").write_text(json.dumps({"settings": {"llm": {"base_url": base_url}}}))
        return tmp_path

    return made


@pytest.mark.parametrize(
    ("provider", "given", "expected"),
    [
        ("anthropic", {}, ("anthropic", "theirs", None)),
        ("anthropic", {"model": "another"}, ("anthropic", "another", None)),
        ("anthropic", {"provider": "local"}, ("local", None, None)),
        ("openai", {"base_url": "http://localhost/v1"}, ("openai", "theirs", "http://localhost/v1")),
        ("openai", {}, ("openai", "theirs", None)),  # OpenAI itself
        ("openai", {"provider": "anthropic"}, ("anthropic", None, None)),
        ("local", {}, ("auto", None, None)),
        ("scripted", {}, ("auto", None, None)),
    ],
)
def test_auto_is_whoever_annotated_over_a_network(version, provider, given, expected):
    """What the settings name is kept; a model in memory, or of a caller's own, is no answer to who is asked now."""
    found = llm_settings_as_annotated(LlmSettings(**given), version(provider))
    assert expected == (found.provider, found.model, found.base_url)


@pytest.mark.parametrize(
    ("recorded", "said"),
    [(THEIRS, THEIRS), ([THEIRS, "http://b/v1"], f"{THEIRS}, http://b/v1")],
)
def test_an_address_is_told_and_never_taken_from_a_models_folder(version, recorded, said):
    """Keys and texts would go where whoever made the folder wants them."""
    with pytest.raises(ConfigError, match="openai/theirs annotated this version") as raised:
        llm_settings_as_annotated(LlmSettings(), version("openai", recorded))
    assert said in str(raised.value)
    assert "--llm-url" in str(raised.value)
