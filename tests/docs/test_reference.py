"""docs/reference/ says what the code says, about everything there is."""

from __future__ import annotations

import pytest
from prose import DOCS

from docs.generator.reference.__main__ import main, pages


@pytest.mark.parametrize("name", sorted(pages()))
def test_a_page_of_the_reference_is_what_the_code_says(name):
    """`make docs` was run after the last change of what it is made from."""
    assert pages()[name] == (DOCS / "reference" / name).read_text(encoding="utf-8"), "run `make docs`"


def test_no_page_of_the_reference_is_left_over():
    """Each file of the folder is made."""
    assert set(pages()) == {path.name for path in (DOCS / "reference").iterdir()}


def test_nothing_in_it_lacks_an_explanation():
    """No row of a table ends with an empty cell: each field, option, column and error says what it is."""
    empty = [
        f"{name}: {line}"
        for name, text in pages().items()
        for line in text.splitlines()
        if line.startswith("|") and line.rstrip().endswith("|  |")
    ]
    assert [] == empty


def test_the_check_says_what_is_not_up_to_date(capsys, tmp_path):
    """`--check` writes nothing, names the page and ends with 1."""
    assert 1 == main(["--check"], folder=tmp_path)
    assert "settings.md: is not what the code says" in capsys.readouterr().out
    assert [] == list(tmp_path.iterdir())
    assert (0, 0) == (main([], folder=tmp_path), main(["--check"], folder=tmp_path))
