"""Boundary questions: one pair of labels at a time, then what the answers change and cost, before anything is asked."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import secrets
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio.to_thread
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from daemon.review.review_log import Kind, Said
from daemon.review.write_answer_files import key_of_pair, write_boundary_answers
from daemon.web.pages.page_context import see_other, text_of
from daemon.web.review.proposal_request import Proposals
from daemon.web.review.review_desk import Edition, NotReadyError, ReviewDesk, form_route, said_meanwhile

FORM_BYTES = 100_000
MOST_CHARACTERS = 1_000
KIND: Kind = "boundary"


@dataclasses.dataclass(frozen=True, slots=True)
class Pairs:
    """The questions of a version, and what was said of them (by `key_of_pair`)."""

    edition: Edition
    pairs: Sequence[Mapping[str, Any]]
    said: Mapping[str, Said]
    handed_in: frozenset[str] = frozenset()
    """Keys of pairs whose answers about this version were handed in."""
    proposed_by: str = ""
    forecast: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """What proposals would cost (freeal/job/new_version/proposal_job.py: `Forecast`)."""
    warning: str = ""
    """Why answers in words are of little use to the version's language model, if they are."""

    def key(self, place: int) -> str:
        """What stands for the pair at this place."""
        return key_of_pair(self.pairs[place]["between"])

    @property
    def answers(self) -> dict[str, Any]:
        """Answers that say something, by key of their pair."""
        return {
            key: one.said
            for place in range(len(self.pairs))
            if (one := self.said.get(key := self.key(place))) and one.said
        }


class Boundaries:
    """The pages, and what is answered on them."""

    def __init__(self, desk: ReviewDesk) -> None:
        self._desk = desk
        self._proposals = Proposals(desk.site, desk.errands)

    def routes(self) -> list[Route]:
        """The addresses of boundary questions."""
        return [
            Route("/models/{model}/review/boundaries", self.pair),
            form_route("/models/{model}/review/boundaries/say", self.say_of_pair, most_bytes=FORM_BYTES),
            form_route("/models/{model}/review/boundaries/propose", self.propose_answers, most_bytes=FORM_BYTES),
            Route("/models/{model}/review/boundaries/changes", self.answer_changes),
        ]

    async def boundary_pairs(self, edition: Edition, *, ask: bool = False) -> Pairs | None:
        """The questions; None where nobody asked for them yet."""
        provider, why_not = await anyio.to_thread.run_sync(self._proposals.provider_of_proposals, edition.folder)
        asked = {
            "provider": provider,
            "proposals": None if provider is None else self._proposals.proposal_request_fields(),
        }
        found = await self._desk.boundary_questions(edition, ask=ask, told=asked)
        if found is None:
            return None
        log = self._desk.log(edition.shelf)
        said, batches = await anyio.to_thread.run_sync(lambda: (log.said(KIND), log.handed_in(KIND)))
        told = {key: one for batch in batches for key, one in batch.said.items()}
        handed_in = frozenset(key for key, one in told.items() if one.about.get("version") == edition.version)
        return Pairs(
            edition,
            found["pairs"],
            said,
            handed_in,
            found.get("proposed_by", ""),
            found.get("forecast", {"why_not": why_not}),
            found.get("warning", ""),
        )

    async def propose_answers(self, request: Request) -> Response:
        """Have the language model propose answers."""
        await self._desk.site.form(request)
        edition = await self._desk.edition_under_review(request)
        if (found := await self.boundary_pairs(edition)) is None:
            raise HTTPException(409, detail="There are no questions yet.")
        await self._proposals.ask_for_proposals(edition, found.forecast)
        return see_other(f"/models/{edition.shelf.name}/review/boundaries")

    async def pair(self, request: Request) -> Response:
        """One pair: the one that is asked for, or the first that nobody answered."""
        edition = await self._desk.edition_under_review(request)
        return await self._show_pair(
            request, edition, await self.boundary_pairs(edition, ask=self._desk.site.may_act(request))
        )

    async def _show_pair(
        self,
        request: Request,
        edition: Edition,
        found: Pairs | None,
        *,
        problem: str = "",
        place: int | None = None,
        typed: Mapping[str, Mapping[str, str]] | None = None,
    ) -> Response:
        """`typed` is what a form brought that could not be kept."""
        person, model = self._desk.person(request), edition.shelf.name
        if place is None and found is not None and found.pairs:
            asked = request.query_params.get("pair", "")
            if asked.isdecimal() and len(asked) < 4 and int(asked) < len(found.pairs):
                place = int(asked)
            else:
                keys = [found.key(one) for one in range(len(found.pairs))]
                free = self._desk.takers.next_free(
                    model, KIND, [key for key in keys if key not in found.said and key not in found.handed_in], person
                )
                place = None if free is None else keys.index(free)
        taken = None
        if found is not None and place is not None:
            taken = self._desk.takers.other_taker(model, KIND, found.key(place), person)
            if taken is None and self._desk.site.may_act(request):
                self._desk.takers.take_row(model, KIND, found.key(place), person)
        if found is not None and place is None and found.answers:
            return see_other(f"/models/{model}/review/boundaries/changes")
        content = {
            "model": model,
            "edition": edition,
            "found": found,
            "place": place,
            "earlier": found.said.get(found.key(place)) if found is not None and place is not None else None,
            "taken": taken,
            "problem": problem,
            "typed": typed,
        }
        return self._desk.site.page(request, "boundary.html.j2", content, status=409 if problem else 200)

    async def say_of_pair(self, request: Request) -> Response:
        """What a person says of one pair."""
        form = await self._desk.site.form(request)
        edition = await self._desk.edition_under_review(request)
        found = await self.boundary_pairs(edition)
        place = text_of(form, "place")
        if found is None or not place.isdecimal() or len(place) > 3 or int(place) >= len(found.pairs):
            raise HTTPException(404, detail="There is no such question.")
        key = found.key(int(place))
        if key != text_of(form, "key"):
            raise HTTPException(409, detail="The questions are others by now. Load the page again.")
        between: list[str] = list(found.pairs[int(place)]["between"])
        answer = _taken_proposal(found.pairs[int(place)], text_of(form, "do")) or _typed_answer(
            form, between, edition.about.labels
        )
        is_said = any(one["is"].strip() or one["is_not"].strip() for one in answer.values())
        if text_of(form, "do") != "skip" and not is_said:
            raise HTTPException(400, detail="Nothing was filled in. Say what one of the two is, or skip the question.")
        said = answer if is_said and text_of(form, "do") != "skip" else None
        log, person, earlier = self._desk.log(edition.shelf), self._desk.person(request), found.said.get(key)
        news = said_meanwhile(earlier, person, seen=text_of(form, "seen"), thing="question")
        if news and said is not None:
            return await self._show_pair(request, edition, found, problem=news, place=int(place), typed=answer)
        about = {"version": edition.version, "between": between}
        if said is not None or earlier is None or earlier.said is None:  # a skip leaves an answer as it stands
            await anyio.to_thread.run_sync(lambda: log.log_said(KIND, key, person, said=said, about=about))
        self._desk.takers.release(edition.shelf.name, KIND, person)
        return see_other(f"/models/{edition.shelf.name}/review/boundaries")

    async def answer_changes(self, request: Request) -> Response:
        """What the answers would change and cost."""
        edition = await self._desk.edition_under_review(request)
        found = await self.boundary_pairs(edition)
        if found is None or not found.answers:
            return see_other(f"/models/{edition.shelf.name}/review")
        quote, problem = await self.quote_answers(found), ""
        content = {"model": edition.shelf.name, "edition": edition, "found": found, "quote": quote, "problem": problem}
        return self._desk.site.page(request, "boundary_changes.html.j2", content)

    async def quote_answers(self, found: Pairs) -> dict[str, Any]:
        """What the answers change and cost, by the library's own reckoning."""
        digest, path = await anyio.to_thread.run_sync(self._answers_for_child, found)
        request = {"task": "quote", "version": os.fspath(found.edition.folder), "answers": os.fspath(path)}
        quote = await self._desk.errands.result_of_child(f"quote {found.edition.version} {digest}", request)
        if quote is None:
            raise NotReadyError("It is counted which rows can change")
        await anyio.to_thread.run_sync(lambda: path.unlink(missing_ok=True))
        return quote

    def _answers_for_child(self, found: Pairs) -> tuple[str, Path]:
        """The answers in a file named by its content: a child reads it later, when others may be there already."""
        scratch = self._desk.scratch(f"{secrets.token_hex(8)}-boundaries.yaml")
        try:
            self.write_pairs(found, scratch)
            digest = hashlib.sha256(scratch.read_bytes()).hexdigest()
            return digest, scratch.replace(self._desk.scratch(f"{digest}-boundaries.yaml"))
        finally:
            scratch.unlink(missing_ok=True)

    @staticmethod
    def write_pairs(found: Pairs, path: Path) -> dict[str, float]:
        """The answers to boundary questions as a file; which it holds, and when each was given."""
        write_boundary_answers(path, found.edition.version, found.pairs, found.answers)
        return {key: found.said[key].at for key in found.answers}


def _typed_answer(form: FormData, between: Sequence[str], labels: Container[str]) -> dict[str, dict[str, str]]:
    """What was filled in about each of the two labels."""
    answer: dict[str, dict[str, str]] = {}
    for side, label in enumerate(between):
        fields = {name: text_of(form, f"{name}{side}").strip()[:MOST_CHARACTERS] for name in ("is", "is_not")}
        goes_to = text_of(form, f"goes_to{side}")
        answer[label] = fields | {"goes_to": goes_to if goes_to in labels else ""}
    return answer


def _taken_proposal(pair: Mapping[str, Any], wish: str) -> dict[str, dict[str, str]] | None:
    """The proposal that `take 1` or `take 2` asks for; None for another wish. Raises 404 where there is none."""
    word, _, number = wish.partition(" ")
    if word != "take":
        return None
    proposals = pair.get("proposals", ())
    if not number.isdecimal() or not 1 <= int(number[:3]) <= len(proposals):
        raise HTTPException(404, detail="There is no such proposal.")
    taken: dict[str, dict[str, str]] = proposals[int(number) - 1]
    return taken
