"""The form each language model of a job is asked in: found out when it is first asked, and remembered."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from freeal.annotation.question_form_trial import FormChoice, form_choice
from freeal.annotation.round_annotation import Questions
from freeal.events import Emit, Notice
from freeal.loop.round_store import RoundStore


class QuestionForms:
    """Remembers in `store`, so that a job that is killed asks on as it began."""

    def __init__(self, store: RoundStore, emit: Emit, *, before: str | None = None) -> None:
        self._store, self._emit, self._before = store, emit, before
        self.chosen: dict[int, FormChoice] = {}
        """By the place of the language model."""

    async def in_form_of_model(self, place: int, questions: Questions, indices: Sequence[int]) -> Questions:
        """`questions` to the language model at `place` in its form; where it is not known yet, texts at `indices` are
        tried. The first model goes on in the form of the version before, where there is one."""
        if not indices:
            return questions
        if place not in self.chosen:
            self.chosen[place] = await self._find_form(place, questions, indices)
            if questions.annotator.scores:
                self._emit(Notice(f"{questions.annotator.model_name} is {self.chosen[place]}"))
        return dataclasses.replace(questions, form=self.chosen[place].form)

    async def _find_form(self, place: int, questions: Questions, indices: Sequence[int]) -> FormChoice:
        if (known := self._store.form_of_model(place)) is not None:
            return known
        if place == 0 and self._before is not None and questions.annotator.fixed_form is None:
            return FormChoice(self._before)
        found = await form_choice(questions, indices)
        self._store.keep_form(place, found)
        return found
