"""freeal.yaml."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from daemon import config
from freeal.errors import ConfigError
from freeal.spec import yaml_reader

ROOT = Path(__file__).resolve().parents[2]


def test_the_shipped_file_shows_every_key_with_its_default():
    """freeal.yaml at the top level is complete, and changing nothing in it changes nothing."""
    document = yaml_reader.load(ROOT / "freeal.yaml")
    defaults = config.Settings()
    keys = {key for key, _ in config.flatten_settings(defaults)}
    assert set() == keys - {yaml_reader.dotted(path) for path in document.lines}
    assert defaults == yaml_reader.validate(config.Settings, document)


def test_every_key_of_the_shipped_file_has_a_comment():
    """Each setting is explained where it stands, on its line or the one above."""
    lines = (ROOT / "freeal.yaml").read_text().splitlines()
    settings = [(above, line) for above, line in itertools.pairwise(lines) if ": " in line.split("#")[0]]
    assert [] == [line for above, line in settings if "#" not in line and not above.strip().startswith("#")]


def test_a_misspelt_key_names_file_line_key_and_the_nearest_one(tmp_path):
    """A person can mend the file from the message alone."""
    path = tmp_path / "freeal.yaml"
    path.write_text("llm:\n  provider: local\n  concurency: 4\n")
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    assert f"{path}, line 3, key 'llm.concurency': unknown key (did you mean 'concurrency'?)" == str(caught.value)


def test_folders_resolve_against_the_file_not_the_current_folder(tmp_path):
    """Where the daemon is started from does not matter."""
    path = tmp_path / "freeal.yaml"
    path.write_text(f"inbox: drop\nmodels: {tmp_path}/elsewhere\n")
    settings = config.load(path, environment={}).settings
    assert (tmp_path / "drop", tmp_path / "elsewhere", tmp_path / ".state") == (
        settings.inbox,
        settings.models,
        settings.state,
    )


def test_each_setting_knows_its_source(tmp_path):
    """`check` can tell a default from a line of the file and from systemd's folder."""
    path = tmp_path / "freeal.yaml"
    path.write_text("watch:\n  mode: poll\nllm:\n")
    loaded = config.load(path, environment={"STATE_DIRECTORY": "/var/lib/freeal"})
    assert "freeal.yaml:2" == loaded.sources["watch.mode"]
    assert "default" == loaded.sources["llm.concurrency"]
    assert "$STATE_DIRECTORY" == loaded.sources["state"]
    assert Path("/var/lib/freeal") == loaded.settings.state


def test_the_file_wins_over_the_state_folder_of_systemd(tmp_path):
    """What the operator wrote down is what counts."""
    path = tmp_path / "freeal.yaml"
    path.write_text("state: mine\n")
    assert tmp_path / "mine" == config.load(path, environment={"STATE_DIRECTORY": "/x"}).settings.state


def test_one_folder_cannot_be_two_things(tmp_path):
    """Results dropped into the inbox would be taken as inputs."""
    path = tmp_path / "freeal.yaml"
    path.write_text("inbox: same\nmodels: ./same\n")
    with pytest.raises(ConfigError, match="same folder as 'inbox'"):
        config.load(path)


def test_a_named_file_must_exist(tmp_path):
    """`--config` with a typing error does not fall back to the defaults."""
    with pytest.raises(ConfigError, match="cannot be read"):
        config.load(tmp_path / "frael.yaml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("models: ~nosuchuser/x\n", "line 1, key 'models': '~nosuchuser/x' names a home folder that is not there"),
        ('inbox: "a\\0b"\n', "line 1, key 'inbox': 'a\\x00b' can be no path"),
        ("web:\n  token_file: ~nosuchuser/t\n", "line 2, key 'web.token_file': '~nosuchuser/t' names a home folder"),
        ('models: "\\UFFFFFFFF"\n', "line 1: is not valid YAML"),
        ("llm:\n  budget_usd: .nan\n", "line 2, key 'llm.budget_usd': must be a number"),
        ("llm:\n  daily_budget_usd: inf\n", "line 2, key 'llm.daily_budget_usd': must be a number"),
    ],
)
def test_what_no_setting_can_be_is_a_configuration_error(tmp_path, text, said):
    """Never a traceback at the start, nor on SIGHUP."""
    path = tmp_path / "freeal.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        config.load(path, environment={})
    assert said in str(caught.value)
