"""What is asked, while it is under way (freeal/annotation/send_prompts_state.py)."""

from __future__ import annotations

from freeal.annotation.send_prompts_state import PROMPTS_KEPT, WrittenPrompts
from freeal.types import Prompt


def test_prompts_are_written_when_they_are_looked_at_and_not_all_kept():
    """In the order in which they came, those that were there from the beginning as they are; of those that can be
    written again the last ones alone are remembered."""
    written = []

    def write(number):
        written.append(number)
        return Prompt("", "", f"text {number}", ("yes", "no"))

    prompts, given = WrittenPrompts(write), Prompt("", "", "given", ("yes", "no"))
    prompts.add("given", given)
    for number in range(PROMPTS_KEPT + 1):
        prompts.add(f"key {number}", number)
    assert ["given", "key 0", "key 1"] == list(prompts)[:3]
    assert PROMPTS_KEPT + 2 == len(prompts)
    assert prompts["given"] is given
    assert [] == written
    assert ["text 0", "text 0"] == [prompts["key 0"].specific for _ in range(2)]
    assert [0] == written
    assert [f"text {number}" for number in range(PROMPTS_KEPT + 1)] == [
        prompts[f"key {number}"].specific for number in range(PROMPTS_KEPT + 1)
    ]
    assert "text 0" == prompts["key 0"].specific
    assert [*range(PROMPTS_KEPT + 1), 0] == written
