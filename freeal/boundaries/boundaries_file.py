"""`boundaries.yaml`: one question per pair of labels, real texts from both sides, and empty places for the answer.

pairs:
- between: [entity, description]
  question: ...
  texts: [...]
  answer:
    entity: {is: "", is_not: "", goes_to: description}
    description: {is: "", is_not: "", goes_to: entity}

Where a language model proposed rules (rule_proposals.py), a pair has `proposals`, each like an answer, and `pick`: the
number of the one that is taken; own words for a label stand in its place.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
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
_HEAD_OF_PROPOSALS = """\
# `proposals` are a language model's: `pick: 1` or `pick: 2` takes one as it is; your own words go before it.
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
    proposals: tuple[dict[str, Rule], ...] = ()
    pick: int | None = None
    answer: dict[str, Rule] = {}

    @property
    def rules(self) -> dict[str, Rule]:
        """What was answered, by label: own words, else those of the proposal that was picked."""
        picked = self.proposals[self.pick - 1] if self.pick is not None else {}
        own = {label: rule for label, rule in self.answer.items() if rule.says_something}
        return {label: rule for label, rule in (picked | own).items() if rule.says_something}


class Boundaries(_Part):
    """The whole file."""

    version: str = ""
    proposed_by: str = ""
    """Which language model, as `provider/model`."""
    pairs: tuple[Pair, ...]

    @property
    def rules(self) -> list[tuple[str, Rule]]:
        """(label, rule) of every answer that says something, in order."""
        return [one for pair in self.pairs for one in pair.rules.items()]


def asked(pairs: Sequence[Competition], pool: Pool, decisions: Sequence[Decision], *, version: str) -> Boundaries:
    """The questions, unanswered."""
    return Boundaries(version=version, pairs=tuple(_boundary_pair(one, pool, decisions) for one in pairs))


def _boundary_pair(one: Competition, pool: Pool, decisions: Sequence[Decision]) -> Pair:
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


def write_boundaries(path: Path, boundaries: Boundaries) -> None:
    """The file to be answered."""
    content = boundaries.model_dump(mode="json", by_alias=True)
    if not boundaries.proposed_by:
        del content["proposed_by"]
    for pair in content["pairs"]:
        if not pair["proposals"]:  # nothing to pick from
            del pair["proposals"], pair["pick"]
    with atomic_write.writing(path) as stream:
        stream.write(_HEAD)
        if boundaries.proposed_by:
            stream.write(_HEAD_OF_PROPOSALS)
        yaml.safe_dump(content, stream, sort_keys=False, allow_unicode=True, width=100)


def read_questions(path: Path) -> Boundaries:
    """The file whatever was answered, nothing included. Raises `SpecError`."""
    return yaml_reader.validate(Boundaries, yaml_reader.load(path, SpecError), SpecError)


def read_boundaries(path: Path, *, labels: Sequence[str]) -> Boundaries:
    """An answered file. Raises `SpecError` with line and key for what makes no sense, all of it at once: labels that
    are none, an answer for a label that is not of the pair; and where nothing was answered."""
    document = yaml_reader.load(path, SpecError)
    found = yaml_reader.validate(Boundaries, document, SpecError)
    problems: list[Problem] = []
    for number, pair in enumerate(found.pairs):
        if pair.pick is not None and not 1 <= pair.pick <= len(pair.proposals):
            where = document.where(("pairs", number, "pick"))
            hint = f"1 to {len(pair.proposals)}" if pair.proposals else "nothing was proposed here: use `answer`"
            problems.append(Problem(f"there is no proposal {pair.pick}", where, hint))
        for label, rule in pair.answer.items():
            where = document.where(("pairs", number, "answer", label))
            problems += _faults_of_rule(label, rule, pair, where, labels)
        for place, proposal in enumerate(pair.proposals):
            for label, rule in proposal.items():
                where = document.where(("pairs", number, "proposals", place, label))
                problems += _faults_of_rule(label, rule, pair, where, labels)
    if problems:
        raise SpecError.of(problems)
    if not found.rules:
        hint = "fill in `is` or `is_not` of a label"
        if any(pair.proposals for pair in found.pairs):
            hint += ", or `pick` a proposal"
        raise SpecError("answers no question", where=Where(file=path), hint=hint)
    return found


def _faults_of_rule(label: str, rule: Rule, pair: Pair, where: Where, labels: Sequence[str]) -> Iterator[Problem]:
    if label not in pair.between:
        yield Problem(f"{label!r} is not of this pair", where, f"the pair is {' and '.join(pair.between)}")
    for name in {label, rule.goes_to} - {"", *labels}:
        guess = nearest(name, labels)
        yield Problem(
            f"{name!r} is not a label", where, f"did you mean {guess!r}?" if guess else f"labels: {', '.join(labels)}"
        )


def boundaries_with_picks(boundaries: Boundaries, picks: Mapping[int, int]) -> Boundaries:
    """The boundaries file with proposals picked: number of the pair (from 1) -> number of the proposal. Raises
    `SpecError`."""
    pairs = list(boundaries.pairs)
    for number, pick in picks.items():
        if not 1 <= number <= len(pairs):
            raise SpecError(f"there is no question {number}", where=Where(key="--pick"), hint=f"1 to {len(pairs)}")
        if not 1 <= pick <= (most := len(pairs[number - 1].proposals)):
            hint = f"1 to {most}" if most else "nothing was proposed for it: --propose asks a language model"
            raise SpecError(f"question {number} has no proposal {pick}", where=Where(key="--pick"), hint=hint)
        pairs[number - 1] = pairs[number - 1].model_copy(update={"pick": pick})
    return boundaries.model_copy(update={"pairs": tuple(pairs)})


@dataclasses.dataclass(frozen=True, slots=True)
class Meanings:
    """The labels' meanings before and after the answers."""

    before: dict[str, str]
    after: dict[str, str]

    @property
    def changed(self) -> tuple[str, ...]:
        """Labels whose meaning is another one now."""
        return tuple(label for label, meaning in self.after.items() if self.before[label] != meaning)

    def diff_of_meanings(self) -> str:
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
