"""The sidecar spec: what a user says about one CSV (`reviews.yaml` beside `reviews.csv`)."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    ValidationInfo,
    field_validator,
    model_validator,
)

from freeal import yamlfile
from freeal.errors import SpecError, Where
from freeal.settings import LlmSettings, LoopSettings, Mode, Provider, StudentMode, StudentSettings
from freeal.types import Demonstration, Label, Task

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
"""A model's name is also a folder's name; nothing else may choose a path."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LlmOverrides(_Part):
    """What one job may say about the language model. Never a URL, never a key: those are the operator's."""

    provider: Provider | None = None
    model: str | None = None
    mode: Mode | None = None
    concurrency: PositiveInt | None = None


class StudentOverrides(_Part):
    """What one job may say about the student."""

    model: str | None = None
    mode: StudentMode | None = None
    epochs: PositiveInt | None = None
    batch_size: PositiveInt | None = None
    learning_rate: PositiveFloat | None = None
    max_length: PositiveInt | None = None
    seed: Annotated[int, Field(ge=0)] | None = None
    warm_start: bool | None = None


class CsvFormat(_Part):
    """How the CSV is written; null = found out from the file."""

    encoding: str | None = None
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    quoting: Literal["minimal", "none"] | None = None

    @field_validator("delimiter", mode="before")
    @classmethod
    def _named_tab(cls, value: Any) -> Any:
        return "\t" if value in ("tab", "\\t") else value


class Example(_Part):
    """One starting demonstration."""

    text: Annotated[str, Field(min_length=1)]
    label: str


def _pair_to_example(value: Any) -> Any:
    if isinstance(value, list | tuple):
        if len(value) != 2:
            raise ValueError("an example is a pair [text, label] or {text: ..., label: ...}")
        return {"text": value[0], "label": value[1]}
    return value


def _list_to_mapping(value: Any) -> Any:
    if isinstance(value, list | tuple):
        names = [str(name) for name in value]
        if doubled := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"label {doubled[0]!r} stands twice")
        return dict.fromkeys(names, "")
    if isinstance(value, dict):
        return {str(name): "" if meaning is None else meaning for name, meaning in value.items()}
    return value


_HARM = {
    "label_column": "the truth would be shown to the models",
    "id_column": "the id would be read by the models",
    "paraphrase_column": "the text would be read twice",
}


class Spec(_Part):
    """A complete, checked spec. Build it in Python with keyword arguments, or `load` it."""

    name: str
    description: Annotated[str, Field(min_length=1)]
    labels: Annotated[dict[str, str], BeforeValidator(_list_to_mapping)]
    text_columns: tuple[str, ...] | None = None
    label_column: str | None = None
    id_column: str | None = None
    paraphrase_column: str | None = None
    examples: tuple[Annotated[Example, BeforeValidator(_pair_to_example)], ...] = ()
    iterations: PositiveInt | None = None
    budget_usd: NonNegativeFloat | None = None
    llm: LlmOverrides = LlmOverrides()
    student: StudentOverrides = StudentOverrides()
    csv: CsvFormat = CsvFormat()
    force: bool = False

    @field_validator("name")
    @classmethod
    def _folder_name(cls, name: str) -> str:
        if re.fullmatch(NAME_PATTERN, name) is None:
            raise ValueError("must be 1 to 64 letters, digits, '.', '_' or '-', the first a letter or digit")
        return name

    @field_validator("labels")
    @classmethod
    def _usable_labels(cls, labels: dict[str, str]) -> dict[str, str]:
        if len(labels) < 2:
            raise ValueError("at least 2 labels are needed")
        seen: dict[str, str] = {}
        for name in labels:
            if not name.strip():
                raise ValueError("a label has no name")
            if name != name.strip():
                raise ValueError(f"label {name!r} begins or ends with a space")
            if (twin := seen.setdefault(name.casefold(), name)) != name:
                raise ValueError(f"labels {twin!r} and {name!r} differ only by case")
        return labels

    @field_validator("text_columns", mode="before")
    @classmethod
    def _one_column_is_a_list(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("text_columns")
    @classmethod
    def _some_text(cls, columns: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if columns is not None and not columns:
            raise ValueError("names no column; leave the key out to use every column")
        return columns

    @field_validator("examples")
    @classmethod
    def _known_labels(cls, examples: tuple[Example, ...], info: ValidationInfo) -> tuple[Example, ...]:
        labels = info.data.get("labels")  # absent where it is itself wrong, which is then said
        for number, example in enumerate(examples, start=1):
            if labels is not None and example.label not in labels:
                guess = yamlfile.nearest(example.label, labels)
                raise ValueError(
                    f"the label {example.label!r} of example {number} is none of the labels"
                    + (f"; did you mean {guess!r}?" if guess else "")
                )
        return examples

    @model_validator(mode="after")
    def _consistent(self) -> Spec:
        for role, column in self.other_columns.items():
            if column in (self.text_columns or ()):
                raise ValueError(f"{role} {column!r} is also in text_columns: {_HARM[role]}")
        return self

    @property
    def other_columns(self) -> dict[str, str]:
        """Columns that are no part of the text, by what they are."""
        named = {
            "label_column": self.label_column,
            "id_column": self.id_column,
            "paraphrase_column": self.paraphrase_column,
        }
        return {role: column for role, column in named.items() if column is not None}

    @property
    def task(self) -> Task:
        """The part of the spec the prompts speak of."""
        return Task(self.description, tuple(Label(name, meaning) for name, meaning in self.labels.items()))

    @property
    def demonstrations(self) -> tuple[Demonstration, ...]:
        """The user's examples as demonstrations."""
        return tuple(Demonstration(example.text, example.label, "user") for example in self.examples)

    def llm_settings(self, base: LlmSettings) -> LlmSettings:
        """`base` with this job's overrides; a job's budget can lower the operator's cap, never raise it."""
        caps = [cap for cap in (base.budget_usd, self.budget_usd) if cap is not None]
        return base.model_copy(update=_given(self.llm) | {"budget_usd": min(caps, default=None)})

    def student_settings(self, base: StudentSettings) -> StudentSettings:
        """`base` with this job's overrides."""
        return base.model_copy(update=_given(self.student))

    def loop_settings(self, base: LoopSettings) -> LoopSettings:
        """`base` with this job's overrides."""
        return base if self.iterations is None else base.model_copy(update={"iterations": self.iterations})

    def digest(self) -> str:
        """SHA-256 of the canonical form, for the job key. `force` is not part of what is asked."""
        canonical = json.dumps(self.model_dump(exclude={"force"}), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()


def _given(overrides: _Part) -> dict[str, Any]:
    return {key: value for key, value in overrides.model_dump().items() if value is not None}


def load(path: Path, *, default_name: str | None = None) -> Spec:
    """Read a spec file. `default_name` (the CSV's stem) is used where the file has no `name`.

    Raises `SpecError` naming the file, the line and the key.
    """
    document = yamlfile.load(path, SpecError)
    document.data.setdefault("name", default_name or path.stem)
    examples = document.data.get("examples")
    if isinstance(examples, str):
        document.data["examples"] = _examples_beside(path, examples, document.where(("examples",)))
    elif examples is None:
        document.data.pop("examples", None)
    return yamlfile.validate(Spec, document, SpecError)


def _examples_beside(spec_path: Path, name: str, where: Where) -> Any:
    if Path(name).name != name:
        raise SpecError(f"{name!r} is not the plain name of a file beside the spec", where=where)
    path = spec_path.parent / name
    try:
        examples = json.loads(path.read_text(encoding="utf-8"))
    except OSError as cause:
        raise SpecError(f"examples file {name!r} cannot be read: {cause.strerror}", where=where) from cause
    except ValueError as cause:
        raise SpecError(f"is not valid JSON: {cause}", where=Where(file=path)) from cause
    if not isinstance(examples, list):
        raise SpecError("must be a JSON list of [text, label] pairs", where=Where(file=path))
    return examples
