"""What one job may say about language model and student; the keys mean what they mean in freeal.yaml."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PositiveFloat,
    PositiveInt,
    SerializerFunctionWrapHandler,
    Tag,
    model_serializer,
)

from freeal.setting_values import checked_form
from freeal.settings import LongTexts, Mode, Provider, StudentMode
from freeal.spec import annotator_list, student_list
from freeal.spec.validation_messages import ONE, SEVERAL


class Overrides(BaseModel):
    """Keys of a section of freeal.yaml, each for one job only; what is left out stays as the operator set it."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def given(self) -> dict[str, Any]:
        """What is said, by key."""
        return {key: value for key, value in self.model_dump().items() if value is not None}


class LlmOverrides(Overrides):
    """What one job may say about the language model. Never a URL, never a key: those are the operator's."""

    provider: Provider | None = None
    model: str | None = None
    mode: Mode | None = None
    concurrency: PositiveInt | None = None
    form: Annotated[str, AfterValidator(checked_form)] | None = None

    @model_serializer(mode="wrap")
    def _as_before_there_were_forms(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        found: dict[str, Any] = handler(self)
        if self.form is None:  # specs that do not name one keep their digest
            found.pop("form", None)
        return found


_Llm = Annotated[LlmOverrides, BeforeValidator(annotator_list.as_overrides)]
OneOrSeveral = Annotated[
    Annotated[LlmOverrides, Tag(ONE)]
    | Annotated[tuple[_Llm, ...], BeforeValidator(annotator_list.checked_annotators), Tag(SEVERAL)],
    Discriminator(annotator_list.kind_of),
]
"""One language model by keys, or several by name or by keys, in the order in which they are asked."""


class StudentOverrides(Overrides):
    """What one job may say about the student."""

    model: Annotated[str | tuple[str, ...] | None, BeforeValidator(student_list.checked_student_list)] = None
    mode: StudentMode | None = None
    epochs: PositiveInt | None = None
    batch_size: PositiveInt | None = None
    learning_rate: PositiveFloat | None = None
    max_length: PositiveInt | None = None
    long_texts: LongTexts | None = None
    seed: Annotated[int, Field(ge=0)] | None = None
    warm_start: bool | None = None
