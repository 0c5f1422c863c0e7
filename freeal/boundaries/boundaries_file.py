"""`boundaries.yaml`: one question per pair of labels, real texts from both sides, and empty places for the answer.

pairs:
- between: [entity, description]
  question: ...
  texts: [...]
  answer:
    entity: {is: "", is_not: "", goes_to: description}
    description: {is: "", is_not: "", goes_to: entity}
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field

from freeal.boundaries.competing_labels import Competition
from freeal.errors import Problem, SpecError, Where
from freeal.files import atomic_write
from freeal.pool.text_pool import Pool
from freeal.spec import yaml_reader
from freeal.text.closest_name import nearest
from freeal.types import Decision

FILE_NAME = "boundaries.yaml"
TEXT_SHOWN = 400
_HEAD = """\
# Where the labels compete most. Answer in your own words what decides, as you would tell a new colleague:
# `is` and `is_not` go into the label's meaning; what it is not goes to the label of `goes_to` instead.
# Leave empty what you do not want to say. Then: python -m freeal boundaries FOLDER --answers this_file.yaml
"""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Rule(_Part):
    """What a person says of one label: what it is, what it is not, and where that belongs instead."""

    is_: Annotated[str, Field(alias="is")] = ""
    is_not: str = ""
    goes_to: str = ""

    @property
    def says_something(self) -> bool:
        """Whether anything was filled in."""
        return bool(self.is_.strip() or self.is_not.strip())


class Text(_Part):
    """A real text: where it stands and what it was given."""

    row: int
    text: str
    given: str | None = None


class Pair(_Part):
    """A boundary between two labels."""

    between: tuple[str, str]
    question: str = ""
    share: float | None = None
    texts: tuple[Text, ...] = ()
    answer: dict[str, Rule] = {}


class Boundaries(_Part):
    """The whole file."""

    version: str = ""
    pairs: tuple[Pair, ...]

    @property
    def rules(self) -> list[tuple[str, Rule]]:
        """(label, rule) of every answer that says something, in order."""
        return [(label, rule) for pair in self.pairs for label, rule in pair.answer.items() if rule.says_something]


def asked(pairs: Sequence[Competition], pool: Pool, decisions: Sequence[Decision], *, version: str) -> Boundaries:
    """The questions, unanswered."""
    return Boundaries(version=version, pairs=tuple(_pair(one, pool, decisions) for one in pairs))


def _pair(one: Competition, pool: Pool, decisions: Sequence[Decision]) -> Pair:
    first, second = one.labels
    texts = [
        Text(row=pool.first_row[index] + 1, text=_short(pool.texts[index]), given=decisions[index].label)
        for side in one.texts
        for index in side
    ]
    return Pair(
        between=one.labels,
        question=f"What makes a text {first!r} rather than {second!r}, and the other way round?",
        share=round(one.share, 4),
        texts=tuple(texts),
        answer={first: Rule(goes_to=second), second: Rule(goes_to=first)},
    )


def _short(text: str) -> str:
    return text if len(text) <= TEXT_SHOWN else text[: TEXT_SHOWN - 1] + "…"


def write(path: Path, boundaries: Boundaries) -> None:
    """The file to be answered."""
    content = boundaries.model_dump(mode="json", by_alias=True)
    with atomic_write.writing(path) as stream:
        stream.write(_HEAD)
        yaml.safe_dump(content, stream, sort_keys=False, allow_unicode=True, width=100)


def read_questions(path: Path) -> Boundaries:
    """The file whatever was answered, nothing included. Raises `SpecError`."""
    return yaml_reader.validate(Boundaries, yaml_reader.load(path, SpecError), SpecError)


def read(path: Path, *, labels: Sequence[str]) -> Boundaries:
    """An answered file. Raises `SpecError` with line and key for what makes no sense, all of it at once: labels that
    are none, an answer for a label that is not of the pair; and where nothing was answered."""
    document = yaml_reader.load(path, SpecError)
    found = yaml_reader.validate(Boundaries, document, SpecError)
    problems = []
    for number, pair in enumerate(found.pairs):
        for label, rule in pair.answer.items():
            where = document.where(("pairs", number, "answer", label))
            if label not in pair.between:
                hint = f"the pair is {' and '.join(pair.between)}"
                problems.append(Problem(f"{label!r} is not of this pair", where, hint))
            for name in {label, rule.goes_to} - {"", *labels}:
                guess = nearest(name, labels)
                hint = f"did you mean {guess!r}?" if guess else f"labels: {', '.join(labels)}"
                problems.append(Problem(f"{name!r} is not a label", where, hint))
    if problems:
        raise SpecError.of(problems)
    if not found.rules:
        raise SpecError("answers no question", where=Where(file=path), hint="fill in `is` or `is_not` of a label")
    return found


@dataclasses.dataclass(frozen=True, slots=True)
class Meanings:
    """The labels' meanings before and after the answers."""

    before: dict[str, str]
    after: dict[str, str]

    @property
    def changed(self) -> tuple[str, ...]:
        """Labels whose meaning is another one now."""
        return tuple(label for label, meaning in self.after.items() if self.before[label] != meaning)

    def diff(self) -> str:
        """As a visible difference, label by label."""
        lines = []
        for label in self.changed:
            lines += [f"  {label}:", f"- {self.before[label] or '(no meaning)'}", f"+ {self.after[label]}"]
        return "\n".join(lines)


def with_answers(meanings: dict[str, str], answers: Boundaries) -> Meanings:
    """The meanings with what a person answered behind them; what stands there already is not said twice."""
    after = dict(meanings)
    for label, rule in answers.rules:
        parts = [after[label]] if after[label] else []
        if said := _one_line(rule.is_):
            parts.append(f"is {said}")
        if said := _one_line(rule.is_not):
            instead = f" (goes to {rule.goes_to} instead)" if rule.goes_to and rule.goes_to != label else ""
            parts.append(f"is not {said}{instead}")
        after[label] = "; ".join(dict.fromkeys(parts))
    return Meanings(dict(meanings), after)


def _one_line(said: str) -> str:
    return " ".join(said.split()).rstrip(".;")
