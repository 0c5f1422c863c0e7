"""run.json of a version: what is wrong with it is said by file, whatever it is."""

from __future__ import annotations

import pytest

from freeal.errors import CorruptModelError
from freeal.results.run_json_file import read_spec_of_version


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "is missing"),
        ("{", "is not valid JSON"),
        ("[]", "it holds no valid spec"),
        ("{}", "it holds no valid spec"),
        ('{"spec": {"labels": 3}}', "it holds no valid spec"),
    ],
)
def test_a_damaged_record_names_its_file(tmp_path, content, said):
    """Never a traceback: `boundaries` and `train --go` read it first."""
    if content is not None:
        (tmp_path / "run.json").write_text(content)
    with pytest.raises(CorruptModelError, match=said) as raised:
        read_spec_of_version(tmp_path)
    assert str(tmp_path / "run.json") in str(raised.value)
