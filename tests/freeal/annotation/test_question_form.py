"""The forms in which a model that scores labels is asked."""

from __future__ import annotations

import pytest

from freeal.annotation.prompts import label_prompt
from freeal.annotation.question_form import PLAIN, QuestionForm, form_of, forms_for
from freeal.types import Demonstration, Label, Task

MOVIES = Task("Is a movie review positive or negative?", (Label("positive", "they like it"), Label("negative")))
PAIR = QuestionForm("Review: {text}\nSentiment: {label}")
ASKING = QuestionForm("{meanings}\n\nText: {text}\nQuestion: {description} Answer: {label}")
DEMO = Demonstration("so\ngood", "positive", "user")


def _prompt(form, task=MOVIES, **keys):
    return label_prompt(task, "the\nrow", style="completion", form=form, **keys)


def test_the_plain_form_asks_as_it_always_did():
    """Byte for byte, or answers that are stored would be asked again."""
    prompt = _prompt(PLAIN, shared=[DEMO])
    assert (
        "Is a movie review positive or negative?\n\npositive: they like it\nnegative\n\n"
        "Input: so good\nOutput: positive\n\n"
    ) == prompt.shared
    assert "Input: the row\nOutput:" == prompt.specific


def test_a_demonstration_is_the_question_with_its_label():
    """In the words of the form, and nothing else before them where the form has nothing else."""
    prompt = _prompt(PAIR, shared=[DEMO], own=[Demonstration("bad", "negative", "student", 3)])
    assert "Review: so good\nSentiment: positive\n\n" == prompt.shared
    assert "Review: bad\nSentiment: negative\n\nReview: the row\nSentiment:" == prompt.specific


def test_a_question_may_stand_behind_the_text():
    """On one line with where the answer begins, whatever lines the description has."""
    task = Task("Is it\ngood?", MOVIES.labels)
    prompt = _prompt(ASKING, task)
    assert "positive: they like it\nnegative\n\n" == prompt.shared
    assert "Text: the row\nQuestion: Is it good? Answer:" == prompt.specific


def test_a_shortlist_moves_the_meanings_to_its_row():
    """And a form that shows no meanings shows none of a shortlist either."""
    task = Task("Sort.", tuple(Label(f"label_{number}", f"meaning {number}") for number in range(30)))
    asking = _prompt(ASKING, task, shortlist=["label_7", "label_3"])
    assert ("", ("label_7", "label_3")) == (asking.shared, asking.labels)
    assert asking.specific.startswith("label_7: meaning 7\nlabel_3: meaning 3\n\nText: the row")
    assert "Review: the row\nSentiment:" == _prompt(PAIR, task, shortlist=["label_7"]).specific


def test_what_looks_like_a_place_in_a_value_is_none():
    """A row that says {label}, or a description that says {text}, stays what it is."""
    task = Task("Say {text}", MOVIES.labels)
    prompt = label_prompt(task, "a {label} {description}", style="completion", form=ASKING)
    assert "Text: a {label} {description}\nQuestion: Say {text} Answer:" == prompt.specific


@pytest.mark.parametrize(
    ("description", "columns", "labels", "pair"),
    [
        ("Decide whether a movie review is positive.", ("text",), ("positive", "negative"), "Review: Sentiment:"),
        ("A sentence from product reviews: good?", ("text",), ("good", "bad"), "Review: Category:"),
        ("The topic of a news article", ("title", "body"), ("a", "b"), "Article: Topic:"),
        ("What a question asks for.", ("text",), ("a", "b"), "Question: Category:"),
        ("Welches Team ist es?", ("user_request",), ("a", "b"), "User request: Team:"),
        ("Gut?", ("text",), ("ja", "nein"), "Text: Category:"),
    ],
)
def test_forms_are_made_of_the_tasks_words(description, columns, labels, pair):
    """What the description calls the texts and what is asked about them; else the column's name, else Text. The plain
    form is expected to suit, but where sentiment is asked the pair alone does."""
    task = Task(description, tuple(map(Label, labels)))
    forms = forms_for(task, columns)
    place = 0 if pair.endswith("Sentiment:") else 1
    assert ([PLAIN] if place else []) == list(forms[:place])
    assert pair == " ".join(line.split(" {")[0] for line in forms[place].template.splitlines())
    assert (3 if place else 1) == len(set(forms)) == len(forms)


def test_a_setting_fixes_the_form():
    """By name, by template, or not at all."""
    assert [None, PLAIN, PAIR] == [form_of(one) for one in ("auto", "plain", PAIR.template)]
    assert "Review: {text} / Sentiment: {label}" == str(PAIR)
