"""`python -m daemon use JOB`: daemon/cli/use_command.py."""

from __future__ import annotations

import pytest

from daemon.cli.use_command import use_version
from daemon.errors import UnknownJobError
from daemon.outbox.model_shelf import Shelf


@pytest.fixture
def shelf(world):
    """A model with two versions, by two runs."""
    world.drop()
    world.run()
    world.drop(csv="text\nother\n")
    world.run()
    return Shelf(world.settings.models, "a")


def test_a_model_is_rolled_back_and_forward(world, shelf):
    """What is told names both versions; the same again changes nothing."""
    newer, older = shelf.version_names()
    assert f"before it was {newer}" in use_version(world.settings, older).in_a_sentence
    assert older == shelf.current
    assert "already" in use_version(world.settings, older).in_a_sentence
    use_version(world.settings, newer)
    assert newer == shelf.current


@pytest.mark.parametrize(("name", "said"), [("a", "is a model: name one of its versions"), ("a-2026", "did you mean")])
def test_what_is_no_version_is_told_with_those_there_are(world, shelf, name, said):
    """A model's own name is the first that comes to mind."""
    with pytest.raises(UnknownJobError, match=said) as caught:
        use_version(world.settings, name)
    assert str(shelf.current) in str(caught.value)
