"""`freeal.run`: rows and a spec in, labels and a model out; awaited, iterated over, or waited for."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import anyio.to_thread

from freeal.errors import ConfigError
from freeal.events import Emit, Event, RoundFinished, ignore
from freeal.files import output_folder
from freeal.job import run_training_job, work_folder
from freeal.job.training_job import TrainingJob
from freeal.llm.protocols import ChatModel
from freeal.notebook.input_table import InputTable, input_table
from freeal.notebook.job_thread import JobThread
from freeal.notebook.round_report import RoundReport
from freeal.notebook.run_result import RunResult, labelled_frame
from freeal.settings import LlmSettings, LoopSettings, Section, StudentSettings
from freeal.spec import yaml_reader
from freeal.spec.job_spec import Spec
from freeal.spec.model_name import plain_name
from freeal.student.protocols import LoadsStudents, Trainer
from freeal.student.sklearn_trainer import SklearnTrainer
from freeal.tracking import run_tracking
from freeal.tracking.protocols import Tracker

RESULTS_FOLDER = "freeal-results"
"""In the current folder: a folder per model, where nothing else is said."""

Settings = TypeVar("Settings", bound=Section)
OnRound = Callable[[RoundReport], None]


def run(
    data: Any,
    spec: Spec | Mapping[str, Any] | str | Path,
    *,
    folder: str | Path | None = None,
    llm: Mapping[str, Any] | ChatModel | None = None,
    student: Mapping[str, Any] | Trainer | Any = None,
    loop: Mapping[str, Any] | None = None,
    api_key: str | None = None,
    trackers: Sequence[Tracker] = (),
    on_round: OnRound | None = None,
    on_event: Emit = ignore,
) -> Run:
    """Label rows and train a model on them: `result = await freeal.run(data, spec)`, or `freeal.run(data, spec).wait()`
    where nothing can be awaited; `async for report in freeal.run(data, spec)` gives each round as it ends.

    `data` is a data frame, a list of texts or the path of a table; `spec` a `Spec`, a dictionary, YAML, or the path of
    a YAML file. Results go into `folder` (default: freeal-results/<name>), which must be new, empty, or of an earlier
    run; after an error or a stop the same call goes on after the last round, with the answers that are paid for.
    `llm`, `student` and `loop` take the keys of those sections of freeal.yaml; in the place of the first two, a
    language model of your own (`freeal.llm.protocols.ChatModel`), and a scikit-learn classifier of texts or a trainer
    of your own (`freeal.student.protocols.Trainer`). `trackers` (freeal/tracking) are told parameters, rounds and
    files; `on_round` and `on_event` are called in the thread that waits.

    Raises `InputError` for the rows and `ConfigError` for spec, settings and folder, here; what `freeal.train` raises
    comes when the run is waited for.
    """
    name = plain_name(Path(data).name) if isinstance(data, str | Path) else "model"
    table = input_table(data, as_spec(spec, default_name=name))
    own_model = None if llm is None or isinstance(llm, Mapping) else llm
    own_trainer = None if student is None or isinstance(student, Mapping) else _trainer(student)
    place = Path(folder) if folder is not None else Path(RESULTS_FOLDER) / table.spec.name
    prepared = _Prepared(
        table=table,
        folder=output_folder.free_folder(place, key="folder", ours=work_folder.OURS),
        llm=_settings(LlmSettings, llm if isinstance(llm, Mapping) else {}, "llm"),
        student=_settings(StudentSettings, student if isinstance(student, Mapping) else {}, "student"),
        loop=_settings(LoopSettings, loop or {}, "loop"),
        api_key=api_key,
        chat_model=own_model,
        trainer=own_trainer,
        trackers=tuple(trackers),
    )
    return Run(prepared, on_round=on_round, on_event=on_event)


class Run:
    """A run that begins when it is first awaited, iterated over or waited for, and then runs once."""

    def __init__(self, prepared: _Prepared, *, on_round: OnRound | None, on_event: Emit) -> None:
        self._prepared = prepared
        self._on_round = on_round
        self._on_event = on_event
        self._thread: JobThread[RunResult] | None = None

    @property
    def folder(self) -> Path:
        """Where the results go."""
        return self._prepared.folder

    @property
    def result(self) -> RunResult:
        """What came of it, once it is over; raises what went wrong."""
        if self._thread is None:
            raise RuntimeError(_NOT_BEGUN)
        return self._thread.result()

    def wait(self) -> RunResult:
        """Run to the end, in a notebook too; Ctrl-C stops it. Raises what `freeal.train` raises."""
        thread = self._begun()
        try:
            while (event := thread.next_event()) is not None:
                self._tell_run_listeners(event)
        finally:
            thread.stop()
        return thread.result()

    def __await__(self) -> Generator[Any, Any, RunResult]:
        return self._awaited().__await__()

    async def __aiter__(self) -> AsyncIterator[RoundReport]:
        thread = self._begun()
        try:
            # the iterator may be left for good while it waits: then the thread that waits must not hold the loop
            while event := await anyio.to_thread.run_sync(thread.next_event, abandon_on_cancel=True):
                report = self._tell_run_listeners(event)
                if report is not None:
                    yield report
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(thread.stop)
        thread.result()

    async def _awaited(self) -> RunResult:
        async for _ in self:
            pass
        return self.result

    def _begun(self) -> JobThread[RunResult]:
        if self._thread is None:
            self._thread = JobThread(self._prepared.carry_out_run)
        return self._thread

    def _tell_run_listeners(self, event: Event) -> RoundReport | None:
        self._on_event(event)
        if not isinstance(event, RoundFinished):
            return None
        report = RoundReport.of(event.metrics)
        if self._on_round is not None:
            self._on_round(report)
        return report

    def __repr__(self) -> str:
        state = _NOT_BEGUN if self._thread is None else "begun"
        return f"<freeal run into {self.folder}: {state}>"


_TRACKED: Any = {
    "spec": {"name", "kind", "text_columns", "label_column", "label_use", "iterations", "budget_usd"},
    "llm": {"provider", "model", "mode"},
    "student": True,
    "loop": True,
}
"""Parameters for trackers: no description, no examples and no label's meaning, which are the user's own words."""
_NOT_BEGUN = "not begun yet: `await` it, iterate over it with `async for`, or call its wait()"


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Prepared:
    """A run whose rows, spec, settings and folder are checked."""

    table: InputTable
    folder: Path
    llm: LlmSettings
    student: StudentSettings
    loop: LoopSettings
    api_key: str | None
    chat_model: ChatModel | None
    trainer: Trainer | None
    trackers: tuple[Tracker, ...]

    async def carry_out_run(self, emit: Emit) -> RunResult:
        """Everything, in the loop of the job's own thread."""
        with output_folder.held_output_folder(self.folder):
            job = self._training_job()
            told = job.effective().model_dump(mode="json", include=_TRACKED)
            params = run_tracking.params_of(told) | {"spec.labels": ", ".join(job.spec.labels)}
            with run_tracking.tracked(self.trackers, name=job.spec.name, params=params) as tracked:
                outcome = await run_training_job.train(
                    job,
                    emit=tracked.listening(emit),
                    api_key=self.api_key,
                    chat_model=self.chat_model,
                    trainer=self.trainer,
                )
                tracked.finish(outcome.metrics, outcome.folder)
            work_folder.close_work_folder(job)
        trainer: object = self.trainer
        own = trainer.load(outcome.folder / "model") if isinstance(trainer, LoadsStudents) else None
        return RunResult(
            folder=outcome.folder,
            frame=labelled_frame(
                outcome.folder,
                self.table.frame,
                language_models=len(outcome.metrics.get("annotators", (1,))),
                kind=self.table.spec.kind,
                labels=self.table.spec.task.names,
            ),
            metrics=outcome.metrics,
            budget_reached=outcome.budget_reached,
            student=own,
        )

    def _training_job(self) -> TrainingJob:
        work = self.folder / work_folder.FOLDER_NAME
        work.mkdir(exist_ok=True)
        answers = work_folder.answers_path()
        spec = self.table.spec
        return TrainingJob(
            job_id=work_folder.job_id(f"{spec.name}-{spec.digest()[:12]}", self.folder),
            billed_to=str(self.folder),
            csv=self.table.input_file_in(self.folder),
            spec=spec,
            output=self.folder,
            work=work,
            answers=answers,
            cache=answers.parent,
            key_folder=Path.cwd(),
            llm=self.llm,
            student=self.student,
            loop=self.loop,
        )


def as_spec(spec: Spec | Mapping[str, Any] | str | Path, *, default_name: str = "model") -> Spec:
    """A spec in any of the forms `run` takes. Raises `SpecError`."""
    if isinstance(spec, Spec):
        return spec
    if isinstance(spec, Mapping):
        return Spec.from_dict(spec, default_name=default_name)
    return Spec.from_yaml(spec, default_name=default_name)


def _trainer(student: Any) -> Trainer:
    """Itself, or what makes a trainer of a classifier."""
    trainer: Trainer = student if hasattr(student, "embed") else SklearnTrainer(student)
    return trainer


def _settings(kind: type[Settings], given: Mapping[str, Any], section: str) -> Settings:
    document = yaml_reader.Document(Path(section), dict(given), {})
    return yaml_reader.validate(kind, document, ConfigError)
