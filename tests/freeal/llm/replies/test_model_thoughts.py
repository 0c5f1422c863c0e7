"""freeal/llm/replies/model_thoughts.py: what was only considered is no answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeal.llm.replies.model_thoughts import answer_in, thinks

ANSWER = '{"label": "negative"}'
DRAFT = 'First guess: {"label": "positive"}. No.'


@pytest.mark.parametrize(
    "text",
    [
        f"<think>\n{DRAFT}\n</think>\n\n{ANSWER}",
        f"<thinking>{DRAFT}</thinking>{ANSWER}",
        f"<THOUGHT>{DRAFT}</THOUGHT> {ANSWER}",
        f"<reasoning>{DRAFT}</reasoning>{ANSWER}",
        f"<seed:think>{DRAFT}</seed:think>{ANSWER}",
        f"{DRAFT}\n</think>\n{ANSWER}",
        f"\u25c1think\u25b7{DRAFT}\u25c1/think\u25b7{ANSWER}",
        f"[THINK]{DRAFT}[/THINK]{ANSWER}",
        f"<|begin_of_thought|>{DRAFT}<|end_of_thought|><|begin_of_solution|>{ANSWER}<|end_of_solution|>",
        f"<|START_THINKING|>{DRAFT}<|END_THINKING|><|START_RESPONSE|>{ANSWER}<|END_RESPONSE|>",
        f"<|channel|>analysis<|message|>{DRAFT}<|end|><|start|>assistant<|channel|>final<|message|>{ANSWER}<|return|>",
        f"analysis{DRAFT}assistantfinal{ANSWER}",
        f"Here is my thought process: {DRAFT} Here is my response: {ANSWER}",
        f"<think>{DRAFT}</think><answer>{ANSWER}</answer>",
        f"<think>a</think>{DRAFT}</think>{ANSWER}",
        f"{ANSWER}<think>{DRAFT}</think>",
    ],
)
def test_only_what_follows_the_thoughts_is_the_answer(text):
    """In the marks of every family of models, whole or with the beginning kept back."""
    assert ANSWER == answer_in(text)


@pytest.mark.parametrize(
    "text", [f"<think>{DRAFT}", f"<|channel|>analysis<|message|>{DRAFT}", f"<think>{DRAFT}</think>"]
)
def test_thoughts_alone_are_no_answer(text):
    """Cut off before the answer began, a draft among them is none."""
    assert "" == answer_in(text)
    assert thinks(text)


@pytest.mark.parametrize("text", ["positive", ANSWER, '{"label": "a", "why": "it says <think>"}', ""])
def test_an_answer_without_thoughts_is_left_alone(text):
    """Marks inside the strings of a JSON object are a stranger's words."""
    assert text == answer_in(text)
    assert not thinks(text)


@given(st.text())
def test_any_text_is_read(text):
    """Never an exception; reading twice changes nothing more."""
    assert isinstance(answer_in(text), str)
