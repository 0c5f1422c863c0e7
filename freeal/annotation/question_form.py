"""The form in which a model that scores labels is asked: a few lines that end where the label's name begins.

A small model continues a pattern, and which one decides how much of what it knows comes out: `Review: ... Sentiment:`
is what it has read a thousand times, `Input: ... Output:` is how nobody writes about a review. So there are several,
made of the spec's own words, and freeal/annotation/question_form_trial.py tries them. Models that follow instructions
are not asked like this.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence

from freeal.annotation.prompt_injection import one_line
from freeal.types import PLAIN_FORM, Task

MEANINGS = "{meanings}"
"""The paragraph in whose place the labels stand, each on a line with its meaning."""
_BEHIND_THE_TEXT = MEANINGS + "\n\nText: {text}\nQuestion: {description} Answer: {label}"
_PLACE = re.compile(r"(\{[a-z]+\})")
_WORD = re.compile(r"[^\W\d_]+")

_TEXT_NOUNS = (
    "review", "tweet", "mail", "email", "message", "question", "headline", "article", "comment", "post", "ticket",
    "complaint", "request", "query", "abstract", "letter", "note", "claim", "utterance", "sentence",
)  # fmt: skip
"""What a text can be called, the more telling first: of "a sentence from a review" it is the review."""
_QUALITY_NOUNS = (
    "sentiment", "topic", "category", "type", "intent", "emotion", "language", "subject", "genre", "tone", "opinion",
    "stance", "urgency", "priority", "department", "team", "quality", "rating",
)  # fmt: skip
"""What can be asked about a text."""
_SENTIMENT = "Sentiment"
_FEELINGS = frozenset({"positive", "negative", "neutral", "mixed"})
_SAY_NOTHING = frozenset({"text", "texts", "body", "content", "data", "value", "column", "input", "string", "title"})
"""Columns called like this do not tell what their texts are."""


@dataclasses.dataclass(frozen=True, slots=True)
class QuestionForm:
    """A template as `checked_form` lets it pass.

    Its last paragraph, two lines, is a demonstration, and without ` {label}` at its end the question; those before come
    once, ahead of all demonstrations. In the last one `{description}` is put on one line.
    """

    template: str

    @property
    def paragraphs(self) -> tuple[str, ...]:
        """What comes once, in order."""
        return tuple(self.template.split("\n\n")[:-1])

    @staticmethod
    def filled(part: str, values: Mapping[str, str]) -> str:
        """`part` of a template with `values` in its places; what looks like a place in a value is none."""
        return "".join(values[one[1:-1]] if _PLACE.fullmatch(one) else one for one in _PLACE.split(part))

    def demonstration(self, text: str, label: str, description: str) -> str:
        """A text, on one line already, with its label, and the blank line behind it."""
        values = {"text": text, "label": label, "description": one_line(description)}
        return self.filled(self.template.split("\n\n")[-1], values) + "\n\n"

    def question(self, text: str, description: str) -> str:
        """A text, on one line already, up to where its label begins."""
        values = {"text": text, "description": one_line(description)}
        return self.filled(self.template.split("\n\n")[-1].removesuffix(" {label}"), values)

    def __str__(self) -> str:
        """On one line, as a person is told of it."""
        return " / ".join(line for line in self.template.splitlines() if line)


PLAIN = QuestionForm(PLAIN_FORM)
"""The form that takes nothing from the task but its description and the labels' meanings."""


def form_of(setting: str) -> QuestionForm | None:
    """What `llm.form` fixes; None where it is `auto`."""
    return {"auto": None, "plain": PLAIN}.get(setting, QuestionForm(setting))


def forms_for(task: Task, text_columns: Sequence[str]) -> tuple[QuestionForm, ...]:
    """The forms that may suit a task, made of what its texts are called and what is asked about them: the plain one
    first, and where sentiment is asked the pair of names that reviews come with alone.

    In ten draws of six sets that ask for sentiment the pair labelled 1 to 20 of 100 texts more rightly than the plain
    form, 11 on average; a trial on 200 texts mistook that in four of them.

    Both names are looked for in the description, in English; else a text is called after its column, where there is
    one."""
    text, quality = _text_noun(task, text_columns), _quality_noun(task)
    pair = f"{text}: {{text}}\n{quality}: {{label}}"
    found = (pair,) if quality == _SENTIMENT else (PLAIN_FORM, pair, _BEHIND_THE_TEXT)
    return tuple(QuestionForm(template) for template in dict.fromkeys(found))


def _text_noun(task: Task, text_columns: Sequence[str]) -> str:
    if found := _first_of(_TEXT_NOUNS, task.description):
        return found.capitalize()
    column = " ".join(_WORD.findall(text_columns[0])) if len(text_columns) == 1 else ""
    return column.capitalize() if column and column.casefold() not in _SAY_NOTHING else "Text"


def _quality_noun(task: Task) -> str:
    if found := _first_of(_QUALITY_NOUNS, task.description):
        return found.capitalize()
    feelings = {name.casefold() for name in task.names} <= _FEELINGS
    return _SENTIMENT if feelings else "Category"


def _first_of(nouns: Iterable[str], description: str) -> str | None:
    words = {word.casefold() for word in _WORD.findall(description)}
    words |= {word.removesuffix("s") for word in words}
    return next((noun for noun in nouns if noun in words), None)
