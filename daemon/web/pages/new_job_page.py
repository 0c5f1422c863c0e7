"""From a table in the browser to a job: upload, describe, look at prompt and cost, then both files into the inbox."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from daemon.errors import ChildError
from daemon.inbox.claim_pair import load_dropped_spec
from daemon.jobs.estimate_in_child import estimate_in_child
from daemon.processes.ask_child_once import ask_once
from daemon.processes.message_protocol import Failure, Result
from daemon.web.pages import spec_form
from daemon.web.pages.error_in_page_words import error_for_page
from daemon.web.pages.page_context import FORM_BYTES, MOST_FIELDS, Site, see_other, text_of
from daemon.web.pages.spec_form import SpecForm
from daemon.web.uploads.multipart_form import File, receive_form
from daemon.web.uploads.place_in_inbox import place_files, place_job
from daemon.web.uploads.upload_folders import MEGABYTE, Upload, Uploads, plain_file_name
from freeal.errors import FreealError
from freeal.files import atomic_write
from freeal.spec.job_spec import Spec
from freeal.table.file_formats import data_stem
from freeal.text.joined_values import Joined
from freeal.types import Kind

PREVIEW = "daemon.processes.entry_points.preview_table"
ROWS_READ = 30
"""To guess from what a column is; the page shows the first four."""
CHARACTERS_SHOWN = 300
_OVERHEAD_BYTES = 100_000
"""What a form adds around its files."""


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """The start of a table, or why it cannot be read."""

    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    problem: str = ""
    read_as: str = ""
    """How the file was understood, in words."""
    values: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    """Of each column with few different values: these, the most frequent first."""
    joined: Mapping[str, Joined] = dataclasses.field(default_factory=dict)
    """Of each column whose cells hold several values each: these."""

    def labels_in(self, column: str) -> tuple[str, ...]:
        """What it would offer as labels if it held the true ones."""
        return spec_form.labels_in(column, self.values, self.joined)

    def kind_of(self, column: str) -> Kind:
        """What kind of labels it would hold."""
        return spec_form.kind_of_labels(column, self.values, self.joined)


class NewJob:
    """The pages between a dropped file and a waiting job."""

    def __init__(self, site: Site, uploads: Uploads) -> None:
        self._site = site
        self._uploads = uploads

    def routes(self) -> list[Route]:
        """The addresses on the way from an upload to a job."""
        most = MOST_FIELDS * 100 + FORM_BYTES
        return [
            Route("/new", self.begin),
            Route("/new", self.upload, methods=["POST"]),
            Route("/waiting", self.waiting, methods=["POST"], max_body_size=most),
            Route("/new/{upload}", self.describe),
            Route("/new/{upload}/look", self.look, methods=["POST"], max_body_size=most),
            Route("/new/{upload}/start", self.start, methods=["POST"], max_body_size=most),
            Route("/new/{upload}/discard", self.discard, methods=["POST"], max_body_size=most),
        ]

    async def begin(self, request: Request) -> Response:
        """The place to drop a file."""
        return self._site.page(request, "new.html.j2", {"inbox": self._site.settings.inbox})

    async def upload(self, request: Request) -> Response:
        """Take the files in."""
        self._site.require_right(request)
        folder = await anyio.to_thread.run_sync(self._uploads.begin_upload)
        try:
            most_bytes = self._site.settings.web.max_upload_mb * MEGABYTE + _OVERHEAD_BYTES
            incoming = await receive_form(request, folder, most_bytes=most_bytes)
            self._site.require_own_form(request, incoming.fields.get("form_token", ""))
            upload = await anyio.to_thread.run_sync(self._uploads.keep_upload, folder, incoming.files)
            if upload is None:
                await anyio.to_thread.run_sync(_put_as_they_are, incoming.files, self._site.settings.inbox)
                await anyio.to_thread.run_sync(self._uploads.discard, folder)
                return see_other("/")
        except BaseException:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._uploads.discard, folder)
            raise
        return see_other(f"/new/{upload.id}")

    async def waiting(self, request: Request) -> Response:
        """Describe a table that waits in the inbox for its spec."""
        wanted = text_of(await self._site.form(request), "name")
        known = {entry.name for entry in self._site.looks.waiting() if entry.lacks_spec}
        if wanted not in known:
            raise HTTPException(409, detail="This file does not wait for a spec any more.")
        upload = await anyio.to_thread.run_sync(
            self._uploads.upload_of_waiting_table, self._site.settings.inbox / wanted
        )
        return see_other(f"/new/{upload.id}")

    async def describe(self, request: Request) -> Response:
        """The form, as it was left."""
        self._site.require_right(request)
        upload = self._upload(request)
        sample = await _sample_of_table(upload)
        form = await anyio.to_thread.run_sync(_kept_draft, upload)
        if form is None:
            form = spec_form.blank_form(
                upload.stem, sample.header, sample.rows, values=sample.values, joined=sample.joined
            )
        text = upload.spec.read_text("utf-8", errors="replace") if upload.has_spec else ""
        return self._new_job_page(request, upload, {"sample": sample, "form": form, "spec_text": text})

    async def look(self, request: Request) -> Response:
        """The first prompt and what all of it will cost, counted by a process of its own."""
        return await self._act_on_upload(request, self._look)

    async def start(self, request: Request) -> Response:
        """Put both files into the inbox."""
        return await self._act_on_upload(request, self._start_job)

    async def discard(self, request: Request) -> Response:
        """Forget the upload."""
        await self._site.form(request)
        await anyio.to_thread.run_sync(self._uploads.discard, self._upload(request).folder)
        return see_other("/")

    async def _act_on_upload(self, request: Request, act: Any) -> Response:
        fields = await self._site.form(request)
        upload = self._upload(request)
        sample = await _sample_of_table(upload)
        form = spec_form.read_form(fields)
        text = text_of(fields, "spec_text") if upload.has_spec else form.to_yaml()
        shown = {"sample": sample, "form": form, "spec_text": text if upload.has_spec else ""}
        if not upload.has_spec:
            await anyio.to_thread.run_sync(atomic_write.write_json, upload.draft, spec_form.as_fields(form))
        try:
            _check_ticks(upload, form)
            spec = await anyio.to_thread.run_sync(_write_spec, upload, text)
            _check_columns(spec, sample)
            done: Response | dict[str, Any] = await act(upload, spec)
        except FreealError as error:
            return self._new_job_page(
                request, upload, shown | {"problem": error_for_page(error, by_line=upload.has_spec)}, status=422
            )
        return self._new_job_page(request, upload, shown | done) if isinstance(done, dict) else done

    async def _look(self, upload: Upload, spec: Spec) -> dict[str, Any]:
        async with self._site.one_estimate_at_a_time:
            loaded = dataclasses.replace(self._site.loaded, settings=self._site.settings)
            found = await estimate_in_child(loaded, spec, csv=upload.data, folder=upload.folder / "work")
        return {"figures": found["figures"], "first_prompt": found["first_prompt"]}

    async def _start_job(self, upload: Upload, spec: Spec) -> Response:
        inbox = self._site.settings.inbox
        if upload.waits_at:
            files = {f"{data_stem(upload.data.name)}.yaml": upload.spec}
            await anyio.to_thread.run_sync(place_files, files, inbox)
        else:
            await anyio.to_thread.run_sync(place_job, _files(upload, spec.name), inbox, spec.name)
        await anyio.to_thread.run_sync(self._uploads.discard, upload.folder)
        return see_other("/")

    def _upload(self, request: Request) -> Upload:
        upload = self._uploads.get_upload(request.path_params["upload"])
        if upload is None:
            raise HTTPException(404, detail="This upload is gone: it was put in the inbox, discarded or left too long.")
        return upload

    def _new_job_page(
        self, request: Request, upload: Upload, content: dict[str, Any], *, status: int = 200
    ) -> Response:
        settings = self._site.settings
        defaults = {
            "provider": settings.llm.provider,
            "iterations": settings.loop.iterations,
            "student_mode": settings.student.mode,
            "student_model": settings.student.model
            if isinstance(settings.student.model, str)
            else ", ".join(settings.student.model),
        }
        blank = {"problem": "", "figures": (), "first_prompt": "", "upload": upload, "defaults": defaults}
        return self._site.page(request, "describe.html.j2", blank | content, status=status)


async def _sample_of_table(upload: Upload) -> Sample:
    """Read by a process of its own, once; kept beside the table."""
    kept = upload.folder / "sample.json"
    if not await anyio.to_thread.run_sync(kept.exists):
        request = {"path": str(upload.data), "rows": ROWS_READ, "characters": CHARACTERS_SHOWN}
        answer = await ask_once(PREVIEW, json.dumps(request))
        if not isinstance(answer, Result):
            error = answer.as_error() if isinstance(answer, Failure) else ChildError("ended without an answer")
            return Sample(problem=error_for_page(error))
        await anyio.to_thread.run_sync(atomic_write.write_json, kept, answer.content)
    content = json.loads(await anyio.to_thread.run_sync(kept.read_text, "utf-8"))
    return Sample(
        tuple(content["header"]),
        tuple(tuple(row) for row in content["rows"]),
        content["problem"],
        content["read_as"],
        {name: tuple(values) for name, values in content["values"].items()},
        {name: Joined(sign, tuple(values)) for name, (sign, *values) in content["joined"].items()},
    )


def _kept_draft(upload: Upload) -> SpecForm | None:
    """What was typed before the page was loaded again; None where nothing was."""
    try:
        fields = json.loads(upload.draft.read_text("utf-8"))
    except FileNotFoundError:
        return None
    return SpecForm(**fields | {"text_columns": tuple(fields["text_columns"])})


def _files(upload: Upload, stem: str) -> dict[str, Path]:
    """What goes into the inbox, by its name there: the examples first, the table last."""
    _, examples = load_dropped_spec(upload.spec, csv_name=upload.file_name)
    beside = {examples: upload.folder / examples} if examples else {}
    return beside | {f"{stem}.yaml": upload.spec, f"{stem}{upload.suffix}": upload.data}


def _put_as_they_are(files: list[File], inbox: Path) -> None:
    """Whatever an inbox takes, under its own names; all or none. Raises `RefusedFileError`."""
    place_files({plain_file_name(file.name): file.path for file in files}, inbox)


def _write_spec(upload: Upload, text: str) -> Spec:
    """Keep the spec beside its table and read it as the daemon will. Raises `SpecError`."""
    upload.spec.write_text(text, encoding="utf-8", errors="replace", newline="\n")
    return load_dropped_spec(upload.spec, csv_name=upload.file_name)[0]


def _check_ticks(upload: Upload, form: SpecForm) -> None:
    if not (upload.has_spec or form.text_columns):
        raise FreealError("no text column is ticked", hint="tick those that hold what is to be labelled")


def _check_columns(spec: Spec, sample: Sample) -> None:
    for name in (*(spec.text_columns or ()), *spec.other_columns.values()):
        if not sample.problem and name not in sample.header:
            raise FreealError(f"the table has no column {name!r}", hint=f"columns: {', '.join(sample.header)}")
