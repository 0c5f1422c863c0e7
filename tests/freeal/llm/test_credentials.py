"""freeal/llm/credentials.py."""

from __future__ import annotations

import pickle

import pytest

from freeal.errors import CredentialsError
from freeal.llm.credentials import ApiKey, environment_for, find_anthropic_key, find_openai_key
from freeal.llm.errors_from_responses import shortened


@pytest.fixture
def everywhere(tmp_path):
    """An environment and a folder in which every place holds a key of its own."""
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "anthropic_api_key").write_text("from-systemd\n")
    (tmp_path / "key.txt").write_text("from-file\n")
    (tmp_path / "api_key.py").write_text('"""Mine."""\nAPI_KEY: str = "from-literal"\n')
    return {
        "CREDENTIALS_DIRECTORY": str(tmp_path / "credentials"),
        "ANTHROPIC_API_KEY_FILE": str(tmp_path / "key.txt"),
        "ANTHROPIC_API_KEY": "from-variable",
    }


def test_the_order_of_places(everywhere, tmp_path):
    """Explicit, systemd, named file, variable, api_key.py: each is found once those before it are gone."""
    found = [find_anthropic_key("explicit", environ=everywhere, folder=tmp_path)]
    for variable in ("CREDENTIALS_DIRECTORY", "ANTHROPIC_API_KEY_FILE", "ANTHROPIC_API_KEY"):
        found.append(find_anthropic_key(None, environ=everywhere, folder=tmp_path))
        del everywhere[variable]
    found.append(find_anthropic_key(None, environ=everywhere, folder=tmp_path))
    expected = ["explicit", "from-systemd", "from-file", "from-variable", "from-literal"]
    assert expected == [key.reveal() for key in found]
    assert str(tmp_path / "api_key.py") == found[-1].source


def test_no_key_anywhere_is_none(tmp_path):
    """Nothing found is an answer, not an error; a credentials folder of other services does not matter."""
    assert None is find_anthropic_key(None, environ={"CREDENTIALS_DIRECTORY": str(tmp_path)}, folder=tmp_path)
    assert None is find_anthropic_key(None, environ={"ANTHROPIC_API_KEY": ""}, folder=tmp_path)
    assert None is find_openai_key(None, environ={})


def test_a_key_never_shows():
    """Not in repr, str, a format, an error or a pickle."""
    key = ApiKey("sk-secret", "a test")
    assert "sk-secret" not in f"{key} {key!r} {[key]}"
    with pytest.raises(TypeError):
        pickle.dumps(key)


def test_a_named_file_that_cannot_be_read_is_an_error(everywhere, tmp_path):
    """A file the user named must not silently fall back to another key."""
    del everywhere["CREDENTIALS_DIRECTORY"]
    everywhere["ANTHROPIC_API_KEY_FILE"] = str(tmp_path / "missing.txt")
    with pytest.raises(CredentialsError, match=r"missing\.txt"):
        find_anthropic_key(None, environ=everywhere, folder=tmp_path)


@pytest.mark.parametrize("content", ["", "  \n", "two words", "line\nbreak", "sch\u00fcssel"])
def test_what_is_no_key_is_refused(tmp_path, content):
    """Empty, blank-ridden and non-ASCII contents cannot become a header."""
    path = tmp_path / "key.txt"
    path.write_text(content, "utf-8")
    with pytest.raises(CredentialsError):
        find_anthropic_key(None, environ={"ANTHROPIC_API_KEY_FILE": str(path)}, folder=tmp_path)


def test_api_key_py_is_never_executed(tmp_path):
    """Code in it has no effect, and a computed value is no literal."""
    marker = tmp_path / "executed"
    (tmp_path / "api_key.py").write_text(f'import pathlib\npathlib.Path({str(marker)!r}).touch()\nKEY = "sk-1"\n')
    assert "sk-1" == find_anthropic_key(None, environ={}, folder=tmp_path).reveal()
    assert not marker.exists()


@pytest.mark.parametrize("source", ['A = "x"\nB = "y"\n', "A = 1\n", 'A = "sk-secret\n', 'A = "sk-" + "secret"\n'])
def test_api_key_py_without_one_literal_is_refused(tmp_path, source):
    """Two literals, none, or a syntax error: an error that names the file and does not quote it."""
    (tmp_path / "api_key.py").write_text(source)
    with pytest.raises(CredentialsError, match=r"api_key\.py") as caught:
        find_anthropic_key(None, environ={}, folder=tmp_path)
    assert "secret" not in str(caught.value)
    assert None is caught.value.__cause__


def test_the_openai_key_has_its_own_variables(tmp_path):
    """OPENAI_API_KEY_FILE goes before OPENAI_API_KEY."""
    path = tmp_path / "key"
    path.write_text("from-file")
    environ = {"OPENAI_API_KEY": "from-variable", "OPENAI_API_KEY_FILE": str(path)}
    assert "from-file" == find_openai_key(None, environ=environ).reveal()
    del environ["OPENAI_API_KEY_FILE"]
    assert "from-variable" == find_openai_key(None, environ=environ).reveal()


def test_a_process_gets_only_the_keys_of_its_provider(everywhere):
    """One that talks to nobody gets none, of no provider; everything else is left alone."""
    everywhere["ANTHROPIC_CUSTOM_HEADERS"] = "x-key: secret"
    environ = everywhere | {"OPENAI_API_KEY": "o", "OPENAI_API_KEY_FILE": "f", "PATH": "/bin"}
    assert {"PATH": "/bin"} == environment_for(None, environ) == environment_for("local", environ)
    anthropic, openai = environment_for("anthropic", environ), environment_for("openai", environ)
    assert everywhere | {"PATH": "/bin"} == anthropic
    assert {"OPENAI_API_KEY", "OPENAI_API_KEY_FILE", "CREDENTIALS_DIRECTORY", "PATH"} == set(openai)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("invalid x-api-key", "invalid x-api-key"),
        ("Incorrect API key provided: sk-proj-abcd1234.", "Incorrect API key provided: ****"),
        ("no: Authorization: Bearer abc123def456 is bad", "no: Authorization: Bearer **** is bad"),
        ("the API key is missing from the request", "the API key is missing from the request"),
    ],
)
def test_a_key_that_a_server_repeats_is_masked(said, shown):
    """In every message that comes from outside; what is no key stays readable."""
    assert shown == shortened(said)
