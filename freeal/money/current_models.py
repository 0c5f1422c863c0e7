"""Names of Claude models that are served today: an old one is said to be old, and never silently replaced."""

from __future__ import annotations

import re

from freeal.money.prices import KNOWN_PRICES, PRICES_AS_OF

_FAMILIES = ("haiku", "sonnet", "opus")


def nearest_current(model: str) -> tuple[str, ...]:
    """The known models of the same family, the newest first; all of them where the name tells no family."""
    family = next((name for name in _FAMILIES if name in model.lower()), "")
    found = [name for name in KNOWN_PRICES if family in name]
    return tuple(sorted(found, key=_version, reverse=True))


def remark_on_old_model(model: str) -> str | None:
    """What to say of a Claude model that is not on the list of today's; None for one that is, and for other names."""
    undated = re.sub(r"-\d{8}$", "", model)
    if not model.lower().startswith("claude") or undated in KNOWN_PRICES:
        return None
    return (
        f"{model} is not among the models that Anthropic listed on {PRICES_AS_OF}; it is asked all the same. If it is "
        f"no longer served, name one that is: {', '.join(nearest_current(model))}"
    )


def _version(name: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", name))
