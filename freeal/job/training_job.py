"""What a training job is told: its table and spec, its places, and the settings of its parts."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from freeal.errors import ConfigError, Where
from freeal.settings import LlmSettings, LoopSettings, RaySettings, StudentSettings
from freeal.spec.job_spec import Spec
from freeal.student.protocols import Trainer
from freeal.types import LlmUse


class TrainingJob(BaseModel):
    """Everything one job needs, and nothing secret: it travels to a child process as JSON.

    `output` is the folder `train` fills; `work` holds the rounds until then and makes a killed job resumable; `answers`
    is the answer store, shared by all jobs; `billed_to` names the model for its bills, the same in every job of it;
    `cache` keeps converted models; `api_key.py` may stand in `key_folder`;
    `previous_model` is the student of the model's last version, for `student.warm_start`; `page` is where the model is
    on a live page; `pilot_rows` makes a pilot of so many first rows, `pilot` is the folder of one whose answers are
    kept; `most_at_once` caps how many texts are computed together where an earlier run had no memory for more, and
    changes nothing else.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    job_id: str
    csv: Path
    spec: Spec
    output: Path
    work: Path
    answers: Path
    cache: Path
    key_folder: Path
    previous_model: Path | None = None
    page: str | None = None
    pilot_rows: int | None = None
    pilot: Path | None = None
    billed_to: str = ""
    most_at_once: int | None = None
    llm: LlmSettings = LlmSettings()
    further_llms: tuple[LlmSettings, ...] = ()
    """Of the language models that the spec names, those after the first; `effective` fills it in."""
    student: StudentSettings = StudentSettings()
    loop: LoopSettings = LoopSettings()
    ray: RaySettings = RaySettings()

    @property
    def llm_use(self) -> LlmUse:
        """How several language models share it."""
        return self.spec.llm_use or "cascade"

    def effective(self) -> TrainingJob:
        """The same job with the spec's overrides merged into the settings."""
        # made effective once, each language model has its own: the first one's are not the base of the others
        several = (self.llm, *self.further_llms) if self.further_llms else self.spec.annotators(self.llm)
        first, *further = several
        return self.model_copy(
            update={
                "llm": first,
                "further_llms": tuple(further),
                "student": self.spec.student_settings(self.student),
                "loop": self.spec.loop_settings(self.loop),
            }
        )

    def check_kind(self, trainer: Trainer | None) -> None:
        """Raises `ConfigError` where the job's settings or a caller's own trainer do not go with `kind: multi`; what is
        wrong with the spec itself is said when it is read."""
        if self.spec.kind != "multi":
            return
        if self.loop.candidates != "off":
            raise ConfigError(
                f"{self.loop.candidates} is for texts of one label, not for kind: multi",
                where=Where(key="loop.candidates"),
                hint="set it to off: with several labels the language model names all that apply anyway",
            )
        if self.student.mode == "finetune":
            raise ConfigError(
                "finetune is for texts of one label, not for kind: multi",
                where=Where(key="student.mode"),
                hint="set it to auto or frozen",
            )
        if self.pilot_rows is not None:
            raise ConfigError(
                "a pilot is for texts of one label, not for kind: multi",
                where=Where(key="pilot"),
                hint="take the first rows as a file of their own: answers that are stored are not paid for twice",
            )
        if trainer is not None and not getattr(trainer, "gives_several_labels", False):
            raise ConfigError(
                f"{trainer!r} learns one label per text: kind: multi has a student of its own",
                hint="leave the trainer out, or give it `gives_several_labels = True` and several ids per text",
            )
