"""Commands of ours as messages show them."""

from __future__ import annotations

import sys

from daemon.host.own_command import own_command_line


def test_a_command_can_be_pasted_in_whatever_folder(tmp_path):
    """It names the Python that runs us and the settings of this service, quoted where a shell needs it."""
    folder = tmp_path / "my service"
    folder.mkdir()
    config = folder / "freeal.yaml"
    assert f"cd '{folder}' && {sys.executable} -m daemon retry m-1" == own_command_line("retry m-1", config_file=config)
    config.write_text("")
    assert f"{sys.executable} -m daemon retry m-1 --config '{config}'" == own_command_line(
        "retry m-1", config_file=config
    )
