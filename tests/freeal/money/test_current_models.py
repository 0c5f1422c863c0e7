"""Old names of Claude models."""

from __future__ import annotations

import pytest

from freeal.money import current_models
from freeal.money.prices import KNOWN_PRICES


@pytest.mark.parametrize("model", [*KNOWN_PRICES, "claude-haiku-4-5-20251001", "gpt-5", "my-own-model"])
def test_nothing_is_said_of_todays_models_and_of_other_names(model):
    """A date behind a name makes no other model of it."""
    assert None is current_models.remark_on_old_model(model)


@pytest.mark.parametrize(
    ("model", "nearest"),
    [
        ("claude-3-haiku-20240307", ("claude-haiku-5-5", "claude-haiku-4-5")),
        ("claude-3-5-sonnet-latest", ("claude-sonnet-5-5",)),
        ("claude-3-opus-20240229", ("claude-opus-5-5",)),
        ("claude-2.1", ("claude-haiku-5-5", "claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-4-5")),
    ],
)
def test_the_nearest_of_today_are_of_the_same_family_and_the_newest_first(model, nearest):
    """All of them where the name tells no family."""
    assert set(nearest) == set(current_models.nearest_current(model))
    assert nearest[0].endswith("5-5")
    assert nearest[0] in (current_models.remark_on_old_model(model) or "")
