"""A model's page: how good it is, its versions, what may be downloaded, and a sentence to try."""

from __future__ import annotations

from pathlib import Path

import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response, StreamingResponse
from starlette.routing import Route

from daemon.inbox.inbox_scan import LANES
from daemon.journal.job_ids import CORRECTIONS
from daemon.journal.journal_reader import Records
from daemon.outbox.model_shelf import Shelf
from daemon.web.classify_in_child import MOST_CHARACTERS, Opinion, Trial, TrialBusyError
from daemon.web.finished_models import (
    VERSION_FILES,
    Gallery,
    Labelled,
    Model,
    Version,
    is_plain_file,
    labelled_files,
    version_files,
)
from daemon.web.pages import page_charts
from daemon.web.pages.page_context import FORM_BYTES, Site, see_other, text_of
from daemon.web.review.report_links import with_row_links
from daemon.web.security.request_guard import REPORT_POLICY
from daemon.web.uploads.multipart_form import File, receive_form
from daemon.web.uploads.place_in_inbox import place_files
from daemon.web.uploads.upload_folders import MEGABYTE, Uploads, plain_file_name
from daemon.web.uploads.zip_stream import zipped_folder
from freeal.errors import FreealError
from freeal.table.file_formats import DATA_SUFFIXES, is_data, is_yaml

PREDICTIONS_SHOWN = 20
FILES_SHOWN = 50
REPORT = "report.html"


class Models:
    """Pages and downloads. Names from an address are looked up in listings, never joined to a path."""

    def __init__(self, site: Site, trial: Trial, uploads: Uploads) -> None:
        self._site = site
        self._trial = trial
        self._uploads = uploads

    def routes(self) -> list[Route]:
        """The addresses of a model: its page, its versions' files, dropping files, trying a sentence."""
        return [
            Route("/models/{model}", self.model),
            Route("/models/{model}/drop", self.drop_files, methods=["POST"]),
            Route("/models/{model}/try", self.try_sentence, methods=["POST"], max_body_size=4 * MOST_CHARACTERS),
            Route(
                "/models/{model}/versions/{version}/use", self.use_version, methods=["POST"], max_body_size=FORM_BYTES
            ),
            Route("/models/{model}/versions/{version}/model.zip", self.model_archive),
            Route("/models/{model}/versions/{version}/{file}", self.version_file),
            Route("/models/{model}/predictions/{key}", self.labelled_file),
        ]

    async def model(self, request: Request) -> Response:
        """One model."""
        return await self._model_page(request, self._shelf(request))

    async def try_sentence(self, request: Request) -> Response:
        """What the model says of a sentence."""
        form = await self._site.form(request)
        shelf = self._shelf(request)
        opinion, problem = None, ""
        try:
            columns = self._trial.text_columns(shelf)
            values = {name: text_of(form, f"value{place}") for place, name in enumerate(columns)}
            if not any(value.strip() for value in values.values()):
                problem = "Type a text first."
            else:
                opinion = await self._trial.classify_row(shelf, values, self._site.settings.predict)
        except TrialBusyError:
            problem = "Several sentences wait already. Try again in a moment."
        except FreealError as error:
            problem = str(error)
        typed = {key: value for key, value in form.items() if key.startswith("value") and isinstance(value, str)}
        return await self._model_page(request, shelf, opinion=opinion, problem=problem, typed=typed)

    async def drop_files(self, request: Request) -> Response:
        """Put files into the model's predict or corrections folder, as if they had been copied there."""
        self._site.require_right(request)
        shelf = self._shelf(request)
        folder = await anyio.to_thread.run_sync(self._uploads.begin_upload)
        try:
            most_bytes = self._site.settings.web.max_upload_mb * MEGABYTE + FORM_BYTES
            incoming = await receive_form(request, folder, most_bytes=most_bytes)
            self._site.require_own_form(request, incoming.fields.get("form_token", ""))
            lane = incoming.fields.get("lane", "")
            await anyio.to_thread.run_sync(_put_into_lane, incoming.files, shelf, lane)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._uploads.discard, folder)
        return see_other(f"/models/{shelf.name}?dropped={lane}#labelled")

    async def use_version(self, request: Request) -> Response:
        """Make an earlier version the current one."""
        await self._site.form(request)
        shelf, version = self._shelf(request), self._version_folder(request)
        await anyio.to_thread.run_sync(shelf.use, version.name)
        return see_other(f"/models/{shelf.name}")

    async def _model_page(
        self,
        request: Request,
        shelf: Shelf,
        *,
        opinion: Opinion | None = None,
        problem: str = "",
        typed: dict[str, str] | None = None,
    ) -> Response:
        model = await anyio.to_thread.run_sync(self._site.gallery.model, shelf.name)
        if model is None:
            raise _not_found()
        versions, files = await anyio.to_thread.run_sync(_list, shelf, self._site.gallery)
        content = {
            "model": model,
            "shares_picture": page_charts.shares_picture(model.current.labels) if model.version else "",
            "rounds_picture": page_charts.rounds_picture(model.current.rounds),
            "confidence_picture": page_charts.confidence_picture(model.current.confidence_counts),
            "dropped": request.query_params.get("dropped", "") in LANES,
            "waiting": [one for one in self._site.looks.waiting() if one.name.startswith(f"{shelf.name}/")],
            "versions": versions,
            "labelled": files[:FILES_SHOWN],
            "labelled_in_all": len(files),
            "predictions": await anyio.to_thread.run_sync(_latest, self._site.records, shelf.name),
            "descriptions": VERSION_FILES,
            "columns": self._columns_to_try(model, shelf),
            "folder": shelf.folder,
            "asks_usd": self._site.settings.predict.ask_below_promise_usd if model.current.has_promise else None,
            "opinion": opinion,
            "problem": problem,
            "typed": typed or {},
        }
        return self._site.page(request, "model.html.j2", content, status=422 if problem else 200)

    def _columns_to_try(self, model: Model, shelf: Shelf) -> tuple[str, ...]:
        if model.version is None:
            return ()
        try:
            return self._trial.text_columns(shelf)
        except FreealError:
            return ()  # the page then offers no sentence to try; the figures say what is wrong with the folder

    async def version_file(self, request: Request) -> Response:
        """One file of a version; the report is shown, the others are downloaded."""
        folder = self._version_folder(request)
        name = next((name for name in version_files(folder) if name == request.path_params["file"]), None)
        if name is None:
            raise _not_found()
        if name == REPORT:
            report = await anyio.to_thread.run_sync(_report, folder / name)
            page = with_row_links(report, model=request.path_params["model"], version=folder.name)
            return HTMLResponse(page, headers={"Content-Security-Policy": REPORT_POLICY})
        return FileResponse(folder / name, filename=f"{request.path_params['model']}-{name}", media_type=_kind(name))

    async def model_archive(self, request: Request) -> Response:
        """The Hugging Face folder as one file, made while it is sent."""
        folder = self._version_folder(request) / "model"
        if folder.is_symlink() or not folder.is_dir():
            raise _not_found()
        name = f"{request.path_params['model']}.zip"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(
            zipped_folder(folder, within=Path(name).stem), media_type="application/zip", headers=headers
        )

    async def labelled_file(self, request: Request) -> Response:
        """A CSV the model labelled."""
        shelf, key = self._shelf(request), request.path_params["key"]
        files: tuple[Labelled, ...] = await anyio.to_thread.run_sync(labelled_files, shelf)
        found = next((file for file in files if file.key == key), None)
        if found is None or not is_plain_file(path := shelf.folder / "predictions" / found.name):
            raise _not_found()
        shown = found.name.encode(errors="replace").decode()
        return FileResponse(path, filename=shown, media_type=_kind(found.name))

    def _shelf(self, request: Request) -> Shelf:
        shelf = self._site.gallery.shelf(request.path_params["model"])
        if shelf is None:
            raise _not_found()
        return shelf

    def _version_folder(self, request: Request) -> Path:
        shelf, wanted = self._shelf(request), request.path_params["version"]
        name = next((name for name in shelf.version_names() if name == wanted), None)
        if name is None:
            raise _not_found()
        return shelf.version(name)


def _list(shelf: Shelf, gallery: Gallery) -> tuple[list[tuple[Version, tuple[str, ...]]], tuple[Labelled, ...]]:
    """The versions, each with its files, and the labelled CSVs."""
    versions = [(one, version_files(shelf.version(one.name))) for one in gallery.versions(shelf)]
    return versions, labelled_files(shelf)


def _report(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _put_into_lane(files: list[File], shelf: Shelf, lane: str) -> None:
    """Into a lane of the model, all or none, nothing replaced. Raises `HTTPException` 400, `RefusedFileError`."""
    if lane not in LANES:
        raise HTTPException(400, detail="A file is dropped to be labelled, or with corrections.")
    fits = [is_data(file.name) or (lane == CORRECTIONS and is_yaml(file.name)) for file in files]
    if not files or not all(fits) or not all(file.size_bytes for file in files):
        raise HTTPException(400, detail=f"A table that is not empty is expected ({' or '.join(DATA_SUFFIXES)}).")
    place_files({plain_file_name(file.name): file.path for file in files}, shelf.folder / lane)


def _latest(records: Records, model: str) -> object:
    return records.predictions(PREDICTIONS_SHOWN, model=model)


def _kind(name: str) -> str:
    """Nothing that a browser would show as a page."""
    return {"csv": "text/csv; charset=utf-8", "json": "application/json"}.get(
        name.rpartition(".")[2], "application/octet-stream"
    )


def _not_found() -> HTTPException:
    return HTTPException(404, detail="There is nothing here by that name.")
