"""A command that we print can be copied."""

from __future__ import annotations

import shlex

from freeal.text.shell_command import freeal_command


def test_a_folder_with_a_blank_stays_one_word():
    """And what needs no quotes has none."""
    printed = freeal_command("certify", "my models/it's", "--sheet", "sheet.csv")
    assert "python -m freeal certify " == printed[:25]
    assert ["certify", "my models/it's", "--sheet", "sheet.csv"] == shlex.split(printed)[3:]
    assert printed.endswith(" --sheet sheet.csv")
