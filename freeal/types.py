"""Plain data that travels between the stages. Imports nothing of ours, computes nothing.

Vocabulary: a *row* is a record of the user's CSV; the *pool* holds the distinct texts among them, and `index` counts
the pool from 0. Everything between reading and writing speaks of pool indices.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import Literal

Kind = Literal["single", "multi", "ordinal", "tree"]
"""What the labels are to each other and to a text: names of which it has one, names of which it may have several or
none, an order from the first to the last, or the leaves of a tree, each written as its path
(freeal/text/label_paths.py). Of several, what stands for a text's label everywhere is their names as one string, in the
labels' order (freeal/text/joined_labels.py)."""

LabelUse = Literal["evaluate", "teach", "split"]
"""What true labels serve for: to measure with; to teach; half of each label's texts teach, the others measure."""

LlmUse = Literal["cascade", "side_by_side"]
"""How several language models share a job: each next one sees what those before it left open, or all see every text."""

PromptStyle = Literal["chat", "completion"]
"""`chat`: instructions and tags for a model that follows them; `completion`: a pattern a small model continues."""


Outcome = Literal["answer", "refused", "cut_off", "empty"]
"""What a reply is: an answer (usable or not); a refusal of the model or of a filter before it; cut off before its end;
nothing at all, or thoughts alone."""


class Status(enum.StrEnum):
    """What happened to a row, as `freeal_status` shows it. Several may hold at once."""

    OK = "ok"
    EMPTY_TEXT = "empty_text"
    TRUNCATED = "truncated"
    STUDENT_TRUNCATED = "student_truncated"
    INVALID_ANSWER = "invalid_answer"
    REFUSED = "refused"
    API_ERROR = "api_error"
    BUDGET = "budget"
    NOT_ASKED = "not_asked"
    CORRECTED = "corrected"


STATUS_MEANINGS = {
    Status.OK: "nothing to report",
    Status.EMPTY_TEXT: "no text in the text columns: no label",
    Status.TRUNCATED: "the language model read a part of the text only: three quarters of what fits from the "
    "beginning, the rest from the end",
    Status.STUDENT_TRUNCATED: "the text is longer than the student reads (`student.max_length`, `student.long_texts`)",
    Status.INVALID_ANSWER: "the answer was none of the labels, twice; or cut off, or empty",
    Status.REFUSED: "the language model, or a filter before it, declined to answer",
    Status.API_ERROR: "no answer after all tries",
    Status.BUDGET: "the cap was reached before this row",
    Status.NOT_ASKED: "`loop.annotate_share` left it to the student",
    Status.CORRECTED: "a person gave the label, or `label_column` did and may teach (`label_use`)",
}
"""Each in words for a user (docs/reference/columns.md)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Label:
    """One class: its name as it stands in every file, and what it means, for the prompt."""

    name: str
    description: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Task:
    """What is to be decided: the user's words and the label set, in the user's order."""

    description: str
    labels: tuple[Label, ...]
    kind: Kind = "single"

    @property
    def names(self) -> tuple[str, ...]:
        """Label names in order; a label's position here is its id everywhere."""
        return tuple(label.name for label in self.labels)


@dataclasses.dataclass(frozen=True, slots=True)
class Demonstration:
    """A labelled text shown to the LLM. `index` is its pool index, None when it is not of the pool."""

    text: str
    label: str
    origin: Literal["user", "given", "generated", "zero_shot", "student"]
    index: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Prompt:
    """One request in parts, so that a provider can compute or cache what is shared.

    `system` and `shared` are the same for many rows (task, labels, a common set of demonstrations); `specific` is this
    row's (its own demonstrations, then the text, last). `labels` are the only acceptable answers; none means free text.
    `open_labels`: the answer may name further labels that could be right as well; `ranked`: it gives a probability for
    each that could; `several`: it names every label that is right, or none; `rules`: the free text is rules that tell
    two labels apart.
    """

    system: str
    shared: str
    specific: str
    labels: tuple[str, ...]
    open_labels: bool = False
    ranked: bool = False
    several: bool = False
    rules: bool = False
    branches: tuple[str, ...] = ()
    """Of labels that are a tree, the nodes above them: an answer may leave open which label below one it is."""
    output_tokens: int | None = None
    """The most that may be written in answer, None: as much as its kind needs (freeal/money/prices.py). Not part of
    the question: an answer that came to its end is the same whatever room was left."""


@dataclasses.dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one or many calls.

    `input_tokens` counts all input, `cached_tokens` the part of it read from a prompt cache and `cache_write_tokens`
    the part written to one, which costs more than plain input.
    """

    calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    cache_write_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        """The tokens of both, in the plain data type that all stages share."""
        return Usage(
            self.calls + other.calls,
            self.input_tokens + other.input_tokens,
            self.cached_tokens + other.cached_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Bill:
    """What calls came to: US dollars (0 where no price is known) and the tokens behind them."""

    usd: float = 0.0
    usage: Usage = Usage()
    unconfirmed_usd: float = 0.0
    """The most that replies lost on the way may have cost: nobody knows, so it is not in `usd`."""

    def __add__(self, other: Bill) -> Bill:
        return Bill(self.usd + other.usd, self.usage + other.usage, self.unconfirmed_usd + other.unconfirmed_usd)


@dataclasses.dataclass(frozen=True, slots=True)
class Reply:
    """What a model answered, before anyone judged it.

    A generating model fills `text`, thoughts and all; a scoring model fills `scores`: one log-probability per label of
    the prompt, in the prompt's order, not yet calibrated. `words` are the server's own for an `outcome` that is no
    answer. `truncated` says the row's text was cut to fit. `label_probability` is that of the label in `text`, where
    the server told it.
    """

    text: str = ""
    scores: tuple[float, ...] | None = None
    outcome: Outcome = "answer"
    words: str = ""
    truncated: bool = False
    usage: Usage = Usage()
    label_probability: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Annotation:
    """The LLM's verdict on one pool text. `label` is None unless a usable answer came."""

    index: int
    label: str | None
    confidence: float
    statuses: tuple[Status, ...]
    round: int
    distribution: tuple[float, ...] | None = None
    """Probability per label where the model gave one; of several labels each by itself, so their sum is not 1."""
    alternatives: tuple[str, ...] = ()
    """Labels it might be as well, where the model was asked for them."""
    from_store: bool = False
    """True when the answer was already paid for and came from the answer store."""
    weight: float = 1.0
    """How much it counts when it is pooled with other answers to the same text (aggregation/answer_ensemble.py)."""
    earlier: tuple[str, ...] = ()
    """Labels that the same language model gave to the text in earlier rounds, the oldest first."""
    annotator: int = 0
    """Which of a job's language models gave it: its place in their order."""
    branch: str | None = None
    """Of labels that are a tree: the node above them that the answer named in place of a label."""

    @property
    def is_answer(self) -> bool:
        """Whether it says anything about the text."""
        return self.label is not None or self.branch is not None


Source = Literal["llm+student", "student", "llm", "abstained", "failed", "corrected"]


@dataclasses.dataclass(frozen=True, slots=True)
class Decision:
    """One text's outcome. `label` is None where we abstained, and `held_back` the label it would have had; `confidence`
    is the probability of the one or the other, `clean` that of `llm_label`, which is None where the language model gave
    no usable answer, or a person's word stands in its place."""

    label: str | None
    confidence: float
    source: Source
    llm_label: str | None
    student_label: str
    clean: float
    round: int
    held_back: str | None = None
    llm_branch: str | None = None
    """What the language model said where it named a node above the labels only."""
    node: str | None = None
    """Of labels that are a tree: the deepest node that is probable enough, and the probability of it."""
    node_confidence: float = 0.0

    @property
    def likeliest(self) -> str:
        """The label that `confidence` speaks of."""
        return self.label or self.held_back or self.student_label


PLAIN_FORM = "{description}\n\n{meanings}\n\nInput: {text}\nOutput: {label}"
"""What `llm.form: plain` stands for, as a template (freeal/annotation/question_form.py)."""


TFIDF, COMPARE = "tfidf", "compare"
"""Names in `student.model` of a student of words alone, and of a choice among what is at hand."""
