"""For programs: `/api/models`, `/api/models/<name>/predict`, and the OpenAPI document that describes all of `/api`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from daemon.web.classify_in_child import Trial, TrialBusyError
from daemon.web.pages import openapi_document
from daemon.web.pages.openapi_document import MOST_BODY_BYTES, MOST_ROWS, MOST_TEXT_CHARACTERS
from daemon.web.pages.page_context import Site
from freeal.errors import FreealError
from freeal.student.model_folder import student_metadata

MOST_PROBABILITIES = 200_000
"""Of one answer, rows times labels: it goes through a pipe as one line."""
RETRY_SECONDS = 2


class PredictApi:
    """The endpoints. The process behind them is the one that tries sentences: it stays warm for two minutes."""

    def __init__(self, site: Site, trial: Trial) -> None:
        self._site, self._trial = site, trial

    def routes(self) -> list[Route]:
        """The addresses for programs that predict."""
        return [
            Route("/api/openapi.json", self.document),
            Route("/api/models", self.models),
            Route("/api/models/{name}/predict", self.predict, methods=["POST"], max_body_size=MOST_BODY_BYTES),
        ]

    async def document(self, _request: Request) -> Response:
        """What can be asked here, as OpenAPI 3.1."""
        return JSONResponse(openapi_document.api_document(has_token=self._site.access.has_token))

    async def models(self, _request: Request) -> Response:
        """The models that have a version, with what they read and say."""
        found = await anyio.to_thread.run_sync(self._listed_models)
        return JSONResponse({"models": found})

    def _listed_models(self) -> list[dict[str, Any]]:
        found = []
        for model in self._site.gallery.models():
            shelf = self._site.gallery.shelf(model.name)
            if shelf is None or shelf.current is None:
                continue
            try:
                card = student_metadata.read_card(shelf.version(shelf.current) / "model")
            except FreealError:
                continue  # its page says what is wrong with it
            columns = [str(name) for name in card.extra.get("text_columns") or ()]
            found.append(
                {"name": shelf.name, "version": shelf.current, "labels": list(card.labels), "text_columns": columns}
            )
        return found

    async def predict(self, request: Request) -> Response:
        """Labels and probabilities of texts or records."""
        self._site.require_right(request)
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise HTTPException(415, detail="Send JSON, with Content-Type: application/json.")
        shelf = self._site.gallery.shelf(request.path_params["name"])
        if shelf is None or shelf.current is None:
            raise HTTPException(404, detail="There is no model of that name with a finished version.")
        version, model = shelf.current, shelf.version(shelf.current) / "model"
        content = _request_content(await request.body())
        labels, columns = await anyio.to_thread.run_sync(_card, model)
        rows = _request_rows(content, columns)
        if len(rows) * len(labels) > MOST_PROBABILITIES:
            most = MOST_PROBABILITIES // len(labels)
            raise HTTPException(409, detail=f"At most {most} rows at once: this model has {len(labels)} labels.")
        try:
            found = await self._trial.classify_rows(model, rows, self._site.settings.predict) if rows else []
        except TrialBusyError as cause:
            headers = {"Retry-After": str(RETRY_SECONDS)}
            raise HTTPException(503, detail="Other requests wait already. Try again.", headers=headers) from cause
        return JSONResponse({"model": shelf.name, "version": version, "labels": list(labels), "predictions": found})


def _card(model: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Labels and text columns of a model folder. Raises `CorruptModelError`."""
    card = student_metadata.read_card(model)
    return tuple(card.labels), tuple(str(name) for name in card.extra.get("text_columns") or ())


def _request_content(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError) as cause:
        raise HTTPException(400, detail=f"The body is no JSON: {cause}.") from cause
    if not isinstance(content, dict):
        raise HTTPException(422, detail="Send an object with `texts` or `records`.")
    return content


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def _request_rows(content: dict[str, Any], columns: tuple[str, ...]) -> list[dict[str, str]]:
    """Each row as text column -> value. Raises 422 for what no model reads, 409 for what this one does not."""
    if len(content) != 1 or not content.keys() <= {"texts", "records"}:
        raise HTTPException(422, detail="Send either `texts` or `records`, and nothing else.")
    [(name, given)] = content.items()
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_ROWS:
        raise HTTPException(422, detail=f"`{name}` is a list of 1 to {MOST_ROWS:,}.")
    if name == "texts":
        texts = [_text(value, f"texts[{at}]") for at, value in enumerate(given)]
        if len(columns) > 1:
            raise HTTPException(409, detail=f"This model reads {' and '.join(columns)}: send `records` with these.")
        return [{columns[0] if columns else "text": text} for text in texts]
    records = [_record(one, f"records[{at}]") for at, one in enumerate(given)]
    if not columns:
        raise HTTPException(409, detail="This model does not say which columns it reads: send `texts`.")
    return [_read_columns(one, columns, f"records[{at}]") for at, one in enumerate(records)]


def _record(given: object, where: str) -> dict[str, str]:
    if not isinstance(given, dict):
        raise HTTPException(422, detail=f"{where} is an object of columns and values.")
    return {name: _text(value, f"{where}.{name[:100]}") for name, value in given.items()}


def _read_columns(record: dict[str, str], columns: tuple[str, ...], where: str) -> dict[str, str]:
    for name in columns:
        if name not in record:
            raise HTTPException(409, detail=f"{where} lacks {name!r}: this model reads {' and '.join(columns)}.")
    return {name: record[name] for name in columns}


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or len(value) > MOST_TEXT_CHARACTERS:
        raise HTTPException(422, detail=f"{where} is a text of at most {MOST_TEXT_CHARACTERS:,} characters.")
    return value
