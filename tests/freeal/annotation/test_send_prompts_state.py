"""What is asked, while it is under way (freeal/annotation/send_prompts_state.py)."""

from __future__ import annotations

from freeal.annotation.send_prompts_state import PROMPTS_KEPT, WrittenPrompts
from freeal.types import Prompt


def test_prompts_are_written_when_they_are_looked_at_and_not_all_kept():
    """In the order in which they came; the last ones alone are remembered, the others are written again."""
    written = []

    def write(number):
        written.append(number)
        return Prompt("", "", f"text {number}", ("yes", "no"))

    prompts = WrittenPrompts(write)
    for number in range(PROMPTS_KEPT + 1):
        prompts.add(f"key {number}", number)
    assert ["key 0", "key 1"] == list(prompts)[:2]
    assert PROMPTS_KEPT + 1 == len(prompts)
    assert "key 1" in prompts
    assert "another" not in prompts
    assert [] == written
    assert ["text 0", "text 0"] == [prompts["key 0"].specific for _ in range(2)]
    assert [0] == written
    assert [f"text {number}" for number in range(PROMPTS_KEPT + 1)] == [
        prompts[f"key {number}"].specific for number in range(PROMPTS_KEPT + 1)
    ]
    assert "text 0" == prompts["key 0"].specific
    assert [*range(PROMPTS_KEPT + 1), 0] == written
