"""The sidecar spec: what a user says about one CSV (`reviews.yaml` beside `reviews.csv`)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveInt,
    ValidationInfo,
    field_validator,
    model_validator,
)

from freeal.errors import SpecError
from freeal.files.regular_file import Links
from freeal.settings import LlmSettings, LoopSettings, StudentSettings
from freeal.spec import (
    column_values,
    example_values,
    examples_file,
    kind_values,
    label_change_values,
    label_tree_values,
    label_values,
    model_name,
    yaml_reader,
)
from freeal.spec.job_overrides import LlmOverrides, OneOrSeveral, StudentOverrides
from freeal.table.csv_format import CsvFormat
from freeal.text.invisible_characters import made_visible
from freeal.types import Demonstration, Kind, Label, LabelUse, LlmUse, Task

FEWEST_PILOT_ROWS = 20
"""With fewer a student learns nothing, and nothing can be said about the labels."""

_IN_MEMORY = Path("the spec")
"""Stands in messages where a file would."""


_HARM = {
    "label_column": "the truth would be shown to the models",
    "id_column": "the id would be read by the models",
    "paraphrase_column": "the text would be read twice",
}


class Spec(BaseModel):
    """A complete, checked spec. Build it with keyword arguments, `from_dict` or `from_yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str = Field(
        description="name of the model and its folder; default: the CSV's name without `.csv`, with `-` for what a "
        "name may not hold. Letters, digits, `.`, `_`, `-`, a letter or digit first; at most 64"
    )
    description: Annotated[str, Field(min_length=1)] = Field(
        description="the task in your own words; the language model reads it"
    )
    labels: Annotated[dict[str, str], BeforeValidator(label_values.read_labels)] = Field(
        description="at least two: a list of names, or `name: what it means`, in a list or without one. A meaning "
        "helps every language model, the packaged one too. A name is text: null, lists, curly quotation marks, "
        "characters nobody sees and what YAML takes for a comment (`- #spam`) are refused, with the line"
    )
    kind: Kind = Field(
        "single",
        description="`single`: each text has one of the labels. `multi`: several, or none; `freeal_labels` then holds "
        "them joined by `;` (docs/how-to/several-labels.md). `ordinal`: one, and the labels are written in an order, "
        "such as 1 to 5 stars: models that follow instructions are told so, a label is the one with the least "
        "expected distance in steps, and the figures tell how far off labels are (`final.order` in metrics.json). "
        "`tree`: one, of labels within labels",
    )
    back_off: label_tree_values.BackOff = label_tree_values.BACK_OFF
    text_columns: column_values.TextColumns = Field(
        None,
        description="columns that make up the text, in order; default: all but `label_column`, `id_column` and "
        "`paraphrase_column`",
    )
    label_column: str | None = Field(
        None,
        description="true labels where they are known. Compared with the result, never shown to a model and never "
        "trained on, unless `label_use` says otherwise",
    )
    label_columns: column_values.LabelColumns = column_values.LABEL_COLUMNS
    label_separator: kind_values.Separator = kind_values.SEPARATOR
    label_use: LabelUse = Field(
        "evaluate",
        description="what the values of `label_column` serve for: `evaluate` only measures; `teach` gives them to "
        "demonstrations and student, and nothing is left to measure with; `split` teaches half of each label's texts "
        "and measures on the others",
    )
    label_changes: Annotated[
        label_change_values.Changes,
        BeforeValidator(label_change_values.as_lists),
        AfterValidator(label_change_values.changes_of_the_labels),
    ] = Field(
        {},
        description="what became of labels of the model's last version, where their meanings do not tell: `old: new` "
        "(several to the same one: merged), or `old: [new, another]` (split). Only rows that can change are asked "
        "again",
    )
    id_column: str | None = Field(None, description="carried through, never part of the text")
    paraphrase_column: str | None = Field(
        None,
        description="each text in other words, where you have that (a back-translation, say): the student must judge "
        "both alike. Never part of the text, never sent to the language model; may be empty in some rows",
    )
    examples: example_values.Examples = Field(
        (),
        description="first demonstrations: a list of `[text, label]` or `{text: ..., label: ...}`, or the name of a "
        "JSON file beside the spec that holds such a list",
    )
    iterations: PositiveInt | None = Field(None, description="rounds at most; default: `loop.iterations`")
    budget_usd: NonNegativeFloat | None = Field(
        None, description="hard cap for this job; it can lower the operator's cap, not raise it"
    )
    pilot: Annotated[int, Field(ge=FEWEST_PILOT_ROWS)] | None = Field(
        None,
        description="so many first rows end to end, at least 20; then the job waits for your word before the rest is "
        "asked",
    )
    llm: OneOrSeveral = Field(
        LlmOverrides(), description="for this job. Never an address or a key. `[cheap, dear]`: several language models"
    )
    llm_use: LlmUse | None = Field(
        None, description="how they share it: `cascade`, the default: each next one sees what is left; `side_by_side`"
    )
    student: StudentOverrides = Field(StudentOverrides(), description="for this job")
    csv: CsvFormat = Field(
        CsvFormat(), description="how the file is written, where that should not be found out from the file"
    )
    force: bool = Field(
        default=False,
        description="`true`: run again although the same file with the same spec and settings is done already",
    )

    @model_validator(mode="before")
    @classmethod
    def _within_labels(cls, data: Any) -> Any:
        return label_tree_values.marked(data)

    @field_validator("name")
    @classmethod
    def _folder_name(cls, name: str) -> str:
        model_name.check_model_name(name)
        return name

    @field_validator("description")
    @classmethod
    def _some_words(cls, description: str) -> str:
        if not made_visible(description):
            raise ValueError("must say what is to be decided about each text")
        return description

    @field_validator(*_HARM)
    @classmethod
    def _one_role_each(cls, column: str | None, info: ValidationInfo) -> str | None:
        role = str(info.field_name)
        if column is not None and column in (info.data.get("text_columns") or ()):
            raise ValueError(f"{role} {column!r} is also in text_columns: {_HARM[role]}")
        for other in _HARM:
            if column is not None and column == info.data.get(other):
                raise ValueError(f"{role} {column!r} is also the {other}; a column has one part")
        return column

    @field_validator("label_use")
    @classmethod
    def _labels_are_there(cls, use: LabelUse, info: ValidationInfo) -> LabelUse:
        if use != "evaluate" and info.data.get("label_column", "") is None and not info.data.get("label_columns"):
            raise ValueError(f"{use} needs a label_column that holds true labels")
        return use

    @field_validator("llm_use")
    @classmethod
    def _several_to_use(cls, use: LlmUse | None, info: ValidationInfo) -> LlmUse | None:
        if use is not None and isinstance(info.data.get("llm"), LlmOverrides):
            raise ValueError(f"{use} needs several language models: llm: [the first, the next]")
        return use

    @field_validator("examples")
    @classmethod
    def _no_contradiction(cls, examples: example_values.Examples) -> example_values.Examples:
        example_values.check_examples_agree(examples)
        return examples

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Spec:
        kind_values.check(self)
        return self

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], *, default_name: str = "model") -> Spec:
        """The spec that a dictionary with the keys of the YAML file says; without a `name` it is `default_name`.

        Raises one `SpecError` for all that is wrong, which names the keys.
        """
        document = yaml_reader.Document(_IN_MEMORY, dict(content), {})
        return _checked_spec(document, default_name=default_name)

    @classmethod
    def from_yaml(cls, source: str | Path, *, default_name: str | None = None) -> Spec:
        """The spec in a YAML file (a path, or its name as text), or in YAML text: what has a line break, or a colon and
        a blank, is text.

        Raises `SpecError` naming the line and the key.
        """
        if isinstance(source, Path) or not re.search(r"[\r\n]|: ", source):
            return load(Path(source), default_name=default_name)
        return _checked_spec(yaml_reader.parse(source, _IN_MEMORY, SpecError), default_name=default_name or "model")

    @property
    def other_columns(self) -> dict[str, str]:
        """Columns that are no part of the text, by what they are."""
        named = {
            "label_column": self.label_column,
            "id_column": self.id_column,
            "paraphrase_column": self.paraphrase_column,
        }
        each = {f"label_columns.{label}": column for label, column in (self.label_columns or {}).items()}
        return {role: column for role, column in named.items() if column is not None} | each

    @property
    def has_truth(self) -> bool:
        """Whether the table holds true labels."""
        return self.label_column is not None or self.label_columns is not None

    @property
    def task(self) -> Task:
        """The part of the spec the prompts speak of."""
        return Task(self.description, tuple(Label(name, meaning) for name, meaning in self.labels.items()), self.kind)

    @property
    def demonstrations(self) -> tuple[Demonstration, ...]:
        """The user's examples as demonstrations."""
        return tuple(Demonstration(example.text, example.label, "user") for example in self.examples)

    def llm_settings(self, base: LlmSettings) -> LlmSettings:
        """`base` with this job's overrides, of several language models those of the first; a budget lowers the cap."""
        return self.annotators(base)[0]

    def annotators(self, base: LlmSettings) -> tuple[LlmSettings, ...]:
        """`base` with the overrides of each language model of this job, in the order of the spec; one cap for all."""
        caps = [cap for cap in (base.budget_usd, self.budget_usd) if cap is not None]  # never above the operator's
        cap = {"budget_usd": min(caps, default=None)}
        several = (self.llm,) if isinstance(self.llm, LlmOverrides) else self.llm
        return tuple(base.model_copy(update=one.given() | cap) for one in several)

    def student_settings(self, base: StudentSettings) -> StudentSettings:
        """`base` with this job's overrides."""
        return base.model_copy(update=self.student.given())

    def loop_settings(self, base: LoopSettings) -> LoopSettings:
        """`base` with this job's overrides."""
        return base if self.iterations is None else base.model_copy(update={"iterations": self.iterations})

    def digest(self) -> str:
        """SHA-256 of the canonical form, for the job key. `force` and `pilot` are not part of what is asked; a key that
        came with a later version counts where it says something, so that specs from before keep theirs."""
        fields = type(self).model_fields
        later = {
            name
            for name in ("kind", "label_changes", "label_columns", "label_separator", "llm_use")
            if getattr(self, name) == fields[name].get_default(call_default_factory=True)
        }
        canonical = json.dumps(self.model_dump(exclude={"force", "pilot", *later}), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()


def load(path: Path, *, default_name: str | None = None, links: Links = "follow") -> Spec:
    """Read a spec file. `default_name` (the CSV's stem) is used where the file has no `name`; `links` says whether it,
    or the file of examples it names, may be a symbolic link.

    Raises `SpecError` naming the file, the line and the key.
    """
    document = yaml_reader.load(path, SpecError, links=links)
    return _checked_spec(document, default_name=default_name or path.stem, links=links)


def _checked_spec(document: yaml_reader.Document, *, default_name: str, links: Links = "follow") -> Spec:
    for key in [key for key, value in document.data.items() if value is None]:
        del document.data[key]  # `iterations: null`, or a section with every key commented out
    document.data.setdefault("name", default_name)
    examples = document.data.get("examples")
    if isinstance(examples, str):
        document.data["examples"] = examples_file.examples_file_beside_spec(
            document.path.parent, examples, document.where(("examples",)), links
        )
    cut = yaml_reader.yaml_comment_faults(document, ("description", "labels", "examples"))
    return yaml_reader.validate(Spec, document, SpecError, also=cut)
