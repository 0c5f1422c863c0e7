"""Settings of the library: what the language model, the student and the loop may be told.

All frozen, with defaults, and described: `freeal.yaml` shows the same keys with the same words. Nothing here reads a
file or the environment; the edge (freeal/cli/command_line.py, daemon/config.py) does, once, and hands these down."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt, field_validator

from freeal.setting_values import checked_form, one_or_several_students, student_setting_faults

Provider = Literal["auto", "anthropic", "openai", "local"]
StudentMode = Literal["auto", "finetune", "frozen"]
LongTexts = Literal["head", "head_tail"]
Mode = Literal["auto", "live", "batch"]


class Section(BaseModel):
    """A group of settings: immutable, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)


class Price(Section):
    """US dollars per million tokens of one model."""

    input: NonNegativeFloat = Field(description="what the model reads")
    output: NonNegativeFloat = Field(description="what it writes")
    cached_input: NonNegativeFloat | None = Field(
        None, description="reading from the prompt cache; default: a tenth of `input` at Anthropic, else all of it"
    )
    long_prompt_tokens: PositiveInt | None = Field(
        None, description="a prompt of more tokens than this costs `long_prompt_factor` times as much, answer included"
    )
    long_prompt_factor: float = Field(1.0, ge=1.0, description="see `long_prompt_tokens`")


class LlmSettings(Section):
    """How rows are annotated."""

    provider: Provider = Field("auto", description="auto = anthropic when a key is found, else local")
    model: str | None = Field(
        None, description="null = the provider's default; for `local` a Hugging Face id or a folder"
    )
    base_url: str | tuple[str, ...] | None = Field(
        None,
        description="another address for anthropic or openai, null = the provider's own; for openai also a list of "
        "servers that run the same model",
    )
    mode: Mode = Field(
        "auto",
        description="live = one call per row; batch = Anthropic's batch service, half the price within a day; "
        "auto = batch where there are many rows",
    )
    batch_from_rows: PositiveInt = Field(3_000, description="rows to be asked at once from which auto uses batches")
    concurrency: PositiveInt = Field(8, description="calls under way at once")
    requests_per_minute: PositiveInt | None = Field(
        None, description="null = learned from the provider; a number lowers that, over all jobs"
    )
    input_tokens_per_minute: PositiveInt | None = Field(
        None, description="null = learned from the provider; a number lowers that, over all jobs"
    )
    output_tokens_per_minute: PositiveInt | None = Field(
        None, description="null = learned from the provider; a number lowers that, over all jobs"
    )
    max_attempts: PositiveInt = Field(6, description="tries per call before its row is given up")
    timeout_seconds: PositiveFloat = Field(60.0, description="for one call; a stop waits for those under way")
    budget_usd: NonNegativeFloat | None = Field(
        None, description="hard cap per job; a spec's budget_usd can only lower it"
    )
    daily_budget_usd: NonNegativeFloat | None = Field(None, description="hard cap per day over all jobs")
    engine: Literal["auto", "local", "ray"] = Field(
        "auto", description="of a local model: local = this process; ray = a Ray cluster; auto = as ray_from_texts says"
    )
    ray_from_texts: PositiveInt = Field(5_000, description="with engine auto and a ray.address: texts from which ray")
    calibration: Literal["batch", "none"] = Field(
        "batch", description="how label scores of a local model lose their prior"
    )
    form: str = Field(
        "auto",
        description="what a local model is asked: auto = the best of several, found on a sample; plain = Input and "
        'Output; or a template of your own such as "Review: {text}\\nSentiment: {label}"',
    )
    prices: dict[str, Price] = Field(default_factory=dict, description="US dollars per million tokens, by model")

    @field_validator("form")
    @classmethod
    def _is_a_form(cls, value: str) -> str:
        return checked_form(value)

    @property
    def base_urls(self) -> tuple[str, ...]:
        """All addresses, none for the provider's own."""
        if isinstance(self.base_url, tuple):
            return self.base_url
        return () if self.base_url is None else (self.base_url,)

    @field_validator("base_url")
    @classmethod
    def _named_once(cls, value: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        if isinstance(value, tuple) and (not value or len(set(value)) < len(value)):
            raise ValueError("names each server once, and one at least")
        return value


class StudentSettings(Section):
    """The small classifier and how it is trained."""

    model: str | tuple[str, ...] = Field(
        "auto",
        description="auto = distilroberta-base where at hand, else minilm (packaged); or a Hugging Face id or folder; "
        "tfidf = a linear model of the words. A list of these: the one that foretells the first labels best; compare = "
        "the same among what is at hand",
    )
    mode: StudentMode = Field(
        "auto", description="finetune = train the encoder; frozen = linear head on its features, seconds on CPU"
    )
    epochs: PositiveInt | None = Field(None, description="null = chosen from the number of texts")
    warmup_epochs: PositiveInt | None = Field(
        None, description="plain epochs before clean_split: mixture and mixup begin; null = 2, at most half of epochs"
    )
    batch_size: PositiveInt = Field(32, description="texts per training step")
    learning_rate: PositiveFloat | None = Field(None, description="null = 2e-5 scaled to the model's width")
    max_length: PositiveInt = Field(
        128, description="tokens per text; the student does not read the rest of a longer one"
    )
    long_texts: LongTexts = Field(
        "head",
        description="what it reads of a longer text: head = the beginning; head_tail = three quarters of max_length "
        "from the beginning, the rest from the end",
    )
    device: str = Field("auto", description="auto = cuda when there is one, else cpu")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="auto = bf16 where the processor computes it"
    )
    clean_split: Literal["posterior", "mixture", "none"] = Field(
        "posterior",
        description="posterior = learn from all labels, each as far as all voices together speak for it; mixture = "
        "from those that the losses speak for (the paper's split); none = from all, as they are",
    )
    clean_threshold: float = Field(
        0.7, ge=0.0, le=1.0, description="with clean_split: mixture, P(clean) above which a label is learned from"
    )
    cross_fit: Literal["auto", "encoder", "head"] = Field(
        "auto",
        description="of fine-tuning: labels are judged by head = linear heads on untrained features, at once; "
        "encoder = also by encoders fine-tuned on the other half of the texts, in as long as the training takes; "
        "auto = encoder, but head for more than 5,000 texts on a CPU",
    )
    mixup: bool = Field(default=True, description="mix clean texts at the encoder's output (lambda ~ Beta(4, 4))")
    consistency: Literal["auto", "always", "never"] = Field(
        "auto", description="two views of a text must agree; auto = where the CSV has paraphrases, always = also else"
    )
    warm_start: bool = Field(
        default=False, description="start from the encoder of the model's last version, not from the base model"
    )
    seed: int = Field(0, ge=0, description="everything random derives from it")
    engine: Literal["auto", "local", "ray"] = Field(
        "auto",
        description="of fine-tuning: local = this process; ray = processes of a Ray cluster share each batch; auto = "
        "as ray_from_texts says",
    )
    ray_from_texts: PositiveInt = Field(5_000, description="with engine auto and a ray.address: texts from which ray")

    @field_validator("model", mode="before")
    @classmethod
    def _students(cls, value: Any) -> Any:
        if faults := student_setting_faults(value):
            raise ValueError("; ".join(f"{problem} ({hint})" for _, problem, hint in faults))
        return one_or_several_students(value)


class LoopSettings(Section):
    """The FreeAL rounds."""

    iterations: PositiveInt = Field(3, description="rounds at most")
    shots: PositiveInt = Field(8, description="demonstrations per row, balanced over the labels")
    demos_per_class: PositiveInt = Field(10, description="representatives kept per label")
    demonstrations: Literal["student", "first"] = Field(
        "student",
        description="of later rounds: student = chosen by the trained student; first = those of round 1 again",
    )
    retrieval: Literal["auto", "nearest", "shared"] = Field(
        "auto",
        description="nearest = each row gets its closest demonstrations; shared = one set for all rows (cacheable); "
        "auto = nearest for a model that follows instructions, shared for a small one that copies what is near",
    )
    demonstration_sets: PositiveInt | None = Field(
        None,
        description="answers per row, each with other demonstrations; null = 3 where asking is free, else 1",
    )
    top_share: PositiveFloat = Field(
        0.2, le=1.0, description="share of each label's cleanest texts that representatives come from"
    )
    clean_threshold: float = Field(
        0.9, ge=0.0, le=1.0, description="probability above which a label is trusted and not asked again"
    )
    label_meanings: Literal["auto", "off"] = Field(
        "auto",
        description="auto = how near a text is to each label's description counts as far as the answers bear it out",
    )
    annotate_share: PositiveFloat = Field(
        1.0, le=1.0, description="share of the distinct texts asked per round; 0.1 = a tenth in each round"
    )
    candidates: Literal["off", "resolve", "ranked"] = Field(
        "off",
        description="resolve = the language model may name several labels, the student finds out which; ranked = a "
        "model that writes its answers gives a probability for each label that could be right",
    )
    zero_shot: Literal["auto", "always", "never"] = Field(
        "auto", description="annotate once without demonstrations first; auto = where it costs nothing"
    )
    compare_plain: bool = Field(
        default=False, description="with true labels: also train a plain student on the first labels, to compare"
    )
    near_duplicates: Literal["off", "group"] = Field(
        "off",
        description="group = texts that are nearly the same stand on one side wherever something is measured, and are "
        "never each other's demonstrations",
    )
    holdout_share: float = Field(
        0.0, ge=0.0, le=0.9, description="share of the distinct texts, drawn by chance, that are never demonstrations"
    )
    keep_corrections: bool = Field(
        default=True, description="texts that a person labelled keep that label when their model is trained anew"
    )
    ask_after_corrections: bool = Field(
        default=False,
        description="true = after corrections the language model is asked again about what is not clean; false = the "
        "student learns from what it said before, for nothing",
    )
    stop_changed_share: float = Field(0.01, ge=0.0, le=1.0, description="stop when fewer labels than this changed")
    abstain_below: float = Field(0.0, ge=0.0, le=1.0, description="leave freeal_label empty below this confidence")


class PredictSettings(Section):
    """Scoring CSVs with a finished model."""

    batch_size: PositiveInt = Field(64, description="texts per forward pass at most")
    chunk_rows: PositiveInt = Field(
        20_000,
        description="rows read, scored and written at a time, at most; fewer where that takes longer than ten seconds",
    )
    output: Literal["csv", "parquet"] = Field("csv", description="form of a dropped table's labelled rows")
    engine: Literal["auto", "local", "ray"] = Field(
        "auto",
        description="local = this machine's one process; ray = shards over a Ray cluster; auto = ray where ray.address "
        "is set and a table has ray_from_rows rows, else local",
    )
    shard_rows: PositiveInt = Field(50_000, description="with engine ray: rows of a shard, the unit that is done again")
    ray_from_rows: PositiveInt = Field(
        200_000, description="with engine auto and a ray.address: rows from which ray is used"
    )
    ask_below_promise_usd: NonNegativeFloat | None = Field(
        None,
        description="US dollars at most, for each table, for asking the language model about rows that a model's "
        "promise leaves without a label; 0 = only one that costs nothing; null = none is asked",
    )


class RaySettings(Section):
    """The Ray cluster that large work is spread over (extra `ray`)."""

    address: str | None = Field(
        None,
        description="null = a cluster of its own on this machine, on the loopback; auto, or HEAD:PORT = one that is "
        "there, of which this machine is a part",
    )
    workers: PositiveInt | None = Field(None, description="processes that compute, at most; null = as there is room")
    cpus_per_worker: PositiveFloat = Field(1.0, description="cores for each of them")
    gpus_per_worker: NonNegativeFloat | None = Field(
        None, description="GPUs for each of them; null = 1 where the cluster has any, else 0"
    )
    object_store_mb: int = Field(
        300, ge=80, description="memory for shards under way, of a cluster of its own (megabytes)"
    )
