"""One row at a time: the review queue, with what the models think of it, and the blind sheet, without."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

import anyio.to_thread
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from daemon.review.review_log import Said
from daemon.web.pages.page_context import see_other, text_of
from daemon.web.review.review_desk import Edition, ReviewDesk, said_meanwhile
from freeal.row_index.row_search import IndexedRow, Queued
from freeal.row_index.text_digest import digest_of
from freeal.text import joined_labels

Kind = Literal["queue", "sheet"]
KINDS: dict[str, Kind] = {"queue": "queue", "sheet": "sheet"}
FORM_BYTES = 100_000
KEYS = 9
"""So many labels have a digit of the keyboard."""
NONE_FITS, CANNOT_SAY = "-", "?"
"""What a sheet takes beside the labels."""


@dataclasses.dataclass(frozen=True, slots=True)
class Card:
    """A row that can be labelled. `queued` is what the queue says of it, None for a row that does not stand in it."""

    key: str
    number: int
    queued: Queued | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Stack:
    """All cards of a kind in order, and what was said of them."""

    edition: Edition
    cards: Sequence[Card]
    said: dict[str, Said]
    done: int
    """Cards that were dealt with before: handed in, or counted by the certificate."""

    @property
    def open(self) -> list[str]:
        """Keys nobody said anything about."""
        return [card.key for card in self.cards if card.key not in self.said]

    @property
    def skipped(self) -> list[str]:
        """Keys that were skipped."""
        return [card.key for card in self.cards if card.key in self.said and self.said[card.key].said is None]

    @property
    def answered(self) -> int:
        """How many have an answer that was not handed in yet."""
        return sum(card.key in self.said and self.said[card.key].said is not None for card in self.cards)


class Labelling:
    """The pages, and what is said on them."""

    def __init__(self, desk: ReviewDesk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """The addresses of the review queue and of the blind sheet."""
        return [
            Route("/models/{model}/review/{kind:str}", self.card),
            Route("/models/{model}/review/{kind:str}/say", self.say_label, methods=["POST"], max_body_size=FORM_BYTES),
            Route(
                "/models/{model}/review/{kind:str}/undo", self.undo_label, methods=["POST"], max_body_size=FORM_BYTES
            ),
        ]

    async def card_stack(self, edition: Edition, kind: Kind) -> Stack:
        """The cards of a kind. A row of the sheet is none of the queue: who corrects it tells the models."""
        log = self._desk.log(edition.shelf)
        said = await anyio.to_thread.run_sync(log.said, kind)
        open_no_more = await anyio.to_thread.run_sync(log.handed_in_keys, kind) - said.keys()
        lines = await self._desk.blind_sheet(edition)
        if kind == "sheet":
            cards = [Card(key_of(line.text), line.number) for line in lines]
            over = {key_of(line.text) for line in lines if line.answer is not None} | open_no_more
        else:
            cards = await anyio.to_thread.run_sync(_queue, edition)
            drawn = {key_of(line.text) for line in lines}
            cards = [card for card in cards if card.key not in drawn]
            over = open_no_more
        waiting = [card for card in cards if card.key not in over]
        return Stack(edition, waiting, said, len(cards) - len(waiting))

    async def card(self, request: Request) -> Response:
        """The next row, or the one that is asked for."""
        kind = _kind(request)
        return await self._show_card(request, kind, await self._stack(request, kind))

    async def _stack(self, request: Request, kind: Kind) -> Stack:
        return await self.card_stack(await self._desk.edition_under_review(request), kind)

    async def _show_card(
        self, request: Request, kind: Kind, stack: Stack, *, problem: str = "", number: int | None = None
    ) -> Response:
        person, model = self._desk.person(request), stack.edition.shelf.name
        wants_skipped = request.query_params.get("skipped") == "1"
        asked = request.query_params.get("row", "")
        if number is None and asked.isdecimal() and len(asked) < 10:
            number = int(asked)
        card = await self._wanted_card(stack, kind, number) if number is not None else None
        if card is None and number is None:
            free = self._desk.takers.next_free(model, kind, stack.skipped if wants_skipped else stack.open, person)
            card = next((one for one in stack.cards if one.key == free), None)
        may_act = self._desk.site.may_act(request)
        taken = self._desk.takers.other_taker(model, kind, card.key, person) if card else None
        if card is not None and may_act and taken is None:
            self._desk.takers.take_row(model, kind, card.key, person)
        row = None if card is None else await anyio.to_thread.run_sync(_row, stack.edition, card.number)
        last = await anyio.to_thread.run_sync(self._desk.log(stack.edition.shelf).last_of, kind, person)
        others = {one.person.id: one.person for one in stack.said.values() if one.person.id != person.id}
        content = {
            "model": model,
            "kind": kind,
            "edition": stack.edition,
            "stack": stack,
            "card": card,
            "row": row,
            "cells": () if row is None else _cells(stack.edition, row),
            "labels": list(stack.edition.about.labels.items()),
            "several": stack.edition.about.kind == "multi",
            "ticked": () if row is None else _ticked(stack, card, row),
            "keys": KEYS,
            "earlier": None if card is None else stack.said.get(card.key),
            "last": last,
            "taken": taken,
            "me": person,
            "others": list(others.values()),
            "problem": problem,
            "wants_skipped": wants_skipped,
        }
        return self._desk.site.page(request, "label.html.j2", content, status=409 if problem else 200)

    async def _wanted_card(self, stack: Stack, kind: Kind, number: int) -> Card:
        """The card of a row somebody asks for: on the sheet one of its lines; else any row with a text that is not on
        the sheet."""
        found = next((card for card in stack.cards if card.number == number), None)
        if found is not None:
            return found
        row = await anyio.to_thread.run_sync(_row, stack.edition, number)
        if row is None or kind == "sheet":
            raise HTTPException(404, detail="There is no such row here.")
        if not row.text:
            raise HTTPException(409, detail="This row has no text, so nothing can be learned from its label.")
        if key_of(row.text) in {key_of(line.text) for line in await self._desk.blind_sheet(stack.edition)}:
            raise HTTPException(409, detail=_ON_SHEET)
        return Card(key_of(row.text), number)

    async def say_label(self, request: Request) -> Response:
        """A label, a comment, or that the row is skipped."""
        kind, form = _kind(request), await self._desk.site.form(request)
        stack = await self._stack(request, kind)
        number = text_of(form, "number")
        if not number.isdecimal() or len(number) > 9:
            raise HTTPException(400, detail="The form does not say which row it is about.")
        card = await self._wanted_card(stack, kind, int(number))
        if card.key != text_of(form, "key"):
            text = "The model has another version by now, in which this row is another one. Load the page again."
            raise HTTPException(409, detail=text)
        said = _said_label(form, kind, stack.edition)
        person, earlier = self._desk.person(request), stack.said.get(card.key)
        if news := said_meanwhile(earlier, person, seen=text_of(form, "seen"), thing="row"):
            return await self._show_card(request, kind, stack, problem=news, number=card.number)
        row = await anyio.to_thread.run_sync(_row, stack.edition, card.number)
        if row is None:
            raise HTTPException(404, detail="There is no such row here.")
        about = {"version": stack.edition.version, "row": row.number, "id": row.id, "text": row.text, "was": row.label}
        about["cells"] = list(row.cells)
        log = self._desk.log(stack.edition.shelf)
        note = text_of(form, "note").strip()
        await anyio.to_thread.run_sync(lambda: log.log_said(kind, card.key, person, said=said, note=note, about=about))
        self._desk.takers.release(stack.edition.shelf.name, kind, person)
        return see_other(self._address(stack.edition, kind, skipped=text_of(form, "skipped") == "1"))

    async def undo_label(self, request: Request) -> Response:
        """Take back what this person said last, and show that row again."""
        kind = _kind(request)
        await self._desk.site.form(request)
        edition = await self._desk.edition_under_review(request)
        log, person = self._desk.log(edition.shelf), self._desk.person(request)
        last = await anyio.to_thread.run_sync(log.last_of, kind, person)
        await anyio.to_thread.run_sync(log.undo_last_said, kind, person)
        if last is None:
            return see_other(self._address(edition, kind))
        found = await anyio.to_thread.run_sync(edition.index.holding, [str(last.about["text"])])
        address = self._address(edition, kind)
        return see_other(address if not found else f"{address}?row={next(iter(found.values()))[0]}")

    @staticmethod
    def _address(edition: Edition, kind: Kind, *, skipped: bool = False) -> str:
        return f"/models/{edition.shelf.name}/review/{kind}{'?skipped=1' if skipped else ''}"


_ON_SHEET = (
    "This row measures the model: it is on the blind sheet. Whoever corrects it tells the models, and the certified "
    "figure would be withdrawn."
)


def _kind(request: Request) -> Kind:
    kind = KINDS.get(request.path_params["kind"])
    if kind is None:
        raise HTTPException(404, detail="There is nothing here by that name.")
    return kind


def key_of(text: str) -> str:
    """What stands for a text in the log."""
    return digest_of(text).hex()


def _queue(edition: Edition) -> list[Card]:
    queued = edition.index.queue()
    rows = edition.index.rows([one.number for one in queued])
    return [Card(key_of(rows[one.number].text), one.number, one) for one in queued if one.number in rows]


def _row(edition: Edition, number: int) -> IndexedRow | None:
    return edition.index.rows([number]).get(number)


def _cells(edition: Edition, row: IndexedRow) -> list[tuple[str, str]]:
    return list(zip(edition.about.text_columns, row.cells, strict=False))


def _ticked(stack: Stack, card: Card | None, row: IndexedRow) -> tuple[str, ...]:
    """With several labels, those of the last answer, or that the row has now."""
    earlier = None if card is None else stack.said.get(card.key)
    return joined_labels.split(str(earlier.said) if earlier is not None and earlier.said else row.label)


def _said_label(form: FormData, kind: Kind, edition: Edition) -> str | None:
    """A label, for a sheet also NONE_FITS or CANNOT_SAY; None for a skip."""
    wish, label = text_of(form, "do"), text_of(form, "label")
    if wish == "skip":
        return None
    if kind == "sheet" and wish in ("none", "unknown"):
        return NONE_FITS if wish == "none" else CANNOT_SAY
    if edition.about.kind == "multi":
        ticked = () if wish == "none" else tuple(map(str, form.getlist("label")))
        if not edition.about.labels.keys() >= set(ticked):
            raise HTTPException(400, detail="Choose among the labels.")
        return joined_labels.in_order(ticked, edition.about.labels)
    if label not in edition.about.labels:
        raise HTTPException(400, detail="Choose one of the labels.")
    return label
