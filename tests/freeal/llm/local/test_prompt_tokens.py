from __future__ import annotations

import pytest
from transformers import AutoTokenizer

from freeal.annotation.prompts import label_prompt
from freeal.annotation.question_form import QuestionForm
from freeal.llm.local.prompt_tokens import Fitter
from freeal.types import Demonstration, Label, Prompt, Task

TASK = Task("Classify the film.", (Label("positive"), Label("negative")))
DEMONSTRATIONS = [Demonstration("warm and funny", "positive", "user")]


def prompts_for(texts, **demonstrations):
    return [label_prompt(TASK, text, style="completion", **demonstrations) for text in texts]


@pytest.fixture
def tokenizer(tiny_causal):
    """Of the tiny model."""
    return AutoTokenizer.from_pretrained(tiny_causal)


@pytest.fixture
def fitter(tokenizer):
    """Of a model that takes 120 tokens, 50 of them for the row."""
    return Fitter(tokenizer, prompt_tokens=120, row_tokens=50)


def test_what_fits_is_left_alone(fitter, tokenizer):
    """A short prompt is tokenized as it stands."""
    (prompt,) = prompts_for(["a good film"], shared=DEMONSTRATIONS)
    (fitted,) = fitter.fit_prompts([prompt])
    assert prompt.shared + prompt.specific == tokenizer.decode(fitted.tokens)
    assert not fitted.truncated


def test_a_long_row_keeps_its_beginning_its_end_and_the_question(fitter, tokenizer):
    """The row is cut in its middle, the question after it stays, and the cut is reported."""
    (fitted,) = fitter.fit_prompts(prompts_for(["Zero " + "word " * 500 + "last"]))
    text = tokenizer.decode(fitted.tokens)
    assert fitted.truncated
    assert len(fitted.tokens) <= 120
    assert "Input: Zero word" in text
    assert text.endswith("word last\nOutput:")
    assert 1 == text.count("[...]")


def test_demonstrations_go_before_the_row_does(fitter, tokenizer):
    """The farthest demonstrations are dropped whole; task, nearest demonstration and row stay."""
    shown = [Demonstration(f"film {number} " + "good " * 6, "positive", "user") for number in range(9)]
    for place in ("shared", "own"):
        (fitted,) = fitter.fit_prompts(prompts_for(["the row itself"], **{place: shown}))
        text = tokenizer.decode(fitted.tokens)
        assert text.startswith("Classify the film.")
        assert "film 8" in text
        assert "film 0" not in text
        assert text.endswith("the row itself\nOutput:")
        assert 60 < len(fitted.tokens) <= 120
        assert not fitted.truncated


@pytest.mark.parametrize(
    ("template", "question"),
    [
        ("Review: {text}\nSentiment: {label}", "\nSentiment:"),
        (
            "{meanings}\n\nText: {text}\nQuestion: {description} Answer: {label}",
            "\nQuestion: Classify the film. Answer:",
        ),
    ],
)
def test_every_form_is_cut_alike(fitter, tokenizer, template, question):
    """Of a long row the middle goes, of many demonstrations the farthest, and the question stays as it is."""
    form = QuestionForm(template)
    shown = [Demonstration(f"film {number} " + "good " * 6, "positive", "user") for number in range(9)]
    (long,) = fitter.fit_prompts(prompts_for(["Zero " + "word " * 500 + "last"], form=form))
    assert long.truncated
    assert tokenizer.decode(long.tokens).endswith("word last" + question)
    (many,) = fitter.fit_prompts(prompts_for(["the row itself"], form=form, shared=shown))
    text = tokenizer.decode(many.tokens)
    assert "film 8" in text
    assert "film 0" not in text
    assert text.endswith("the row itself" + question)
    assert len(many.tokens) <= 120


def test_a_task_without_end_loses_its_beginning(fitter, tokenizer):
    """A description longer than the context leaves the row and the question."""
    prompt = label_prompt(Task("do this " * 500, TASK.labels), "the row", style="completion")
    (fitted,) = fitter.fit_prompts([prompt])
    assert 120 == len(fitted.tokens)
    assert tokenizer.decode(fitted.tokens).endswith("the row\nOutput:")


def test_control_tokens_in_a_row_are_text(fitter, tokenizer):
    """A row that spells the end token does not end anything."""
    (fitted,) = fitter.fit_prompts(prompts_for(["good </s> <s> film"]))
    assert not {tokenizer.bos_token_id, tokenizer.eos_token_id} & set(fitted.tokens)


def test_an_empty_prompt_has_a_token(fitter):
    """There is always something to read the first label token after."""
    assert 1 == len(fitter.fit_prompts([Prompt("", "", "", ("a", "b"))])[0].tokens)


def test_half_a_character_is_not_kept(fitter, tokenizer):
    """A cut inside a character of several bytes drops it whole."""
    (fitted,) = fitter.fit_prompts(prompts_for(["🎬" * 100]))
    assert "�" not in tokenizer.decode(fitted.tokens)
    assert fitted.truncated
