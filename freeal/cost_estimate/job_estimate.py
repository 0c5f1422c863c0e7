"""What a job will ask, cost and take, before anything is asked: `--dry-run` and `python -m freeal estimate`.

The real loop runs up to its first training, with a model that counts its prompts instead of answering them and a store
that is only read. So the prompts are the real ones, and what is paid for already is known. Demonstrations the model has
yet to write are stood in for, by texts of the pool, and what later rounds ask is a share of the first.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from freeal.annotation.annotator import Annotator
from freeal.annotation.prompts import in_full, label_prompt
from freeal.annotation.question_form import form_of, forms_for
from freeal.annotation.question_form_trial import trial_answers
from freeal.annotation.round_annotation import FREE_SETS
from freeal.compute import cpu_threads
from freeal.cost_estimate.call_cost_range import CallGroup
from freeal.cost_estimate.counting_model import CountingModel, FirstRoundOverError, NoTrainer
from freeal.cost_estimate.estimate_figures import AnnotatorEstimate, Estimate
from freeal.cost_estimate.token_count_range import NOTHING, Span
from freeal.errors import TrainingError
from freeal.events import ignore
from freeal.job.new_version import label_change_job
from freeal.job.open_chat_model import open_chat_model
from freeal.job.resolve_provider import foreseen_providers
from freeal.job.run_loop import run_loop
from freeal.job.timing import stage_durations
from freeal.job.training_job import TrainingJob
from freeal.llm.protocols import ChatModel
from freeal.llm.store.read_only_store import StoredAnswers
from freeal.loop.known_labels import Known
from freeal.loop.round_store import RoundStore
from freeal.money.budget_ledger import Ledger
from freeal.money.prices import PRICES_AS_OF, price_of
from freeal.pool import teach_evaluate_split
from freeal.pool.text_pool import Pool
from freeal.preflight import preflight_check
from freeal.preflight.preflight_check import Checked
from freeal.selection.query_selection import PILOT_TEXTS
from freeal.settings import LlmSettings
from freeal.text import long_text_shortening
from freeal.types import Demonstration

LATER_ROUND_SHARE = Span(0.05, 0.6)
"""Share of the distinct texts that a round after the first asks about again."""

REPAIRED_SHARE = Span(0.0, 0.03)
"""Share of the answers that name no label and are asked for a second time."""

MACHINES = Span(0.5, 2.5)
"""How much faster or slower a machine may be than those of freeal/job/timing/stage_durations.py, core by core."""

OPEN_SHARE = Span(0.05, 1.0)
"""Share of the distinct texts that the language models before it leave open to a later one of a cascade."""

PACKAGED_MODEL = "packaged SmolLM2-135M-Instruct"

_SAMPLED_TEXTS = 200


async def estimate_job(job: TrainingJob, *, environ: Mapping[str, str]) -> Estimate:
    """What `train` would ask for `job`. Reads CSV and answer store; asks nobody, writes nothing, needs no key.

    `environ` and the job's `key_folder` decide what `llm.provider: auto` means. Raises `InputError`, `ConfigError`.
    """
    job = job.effective()
    several = (job.llm, *job.further_llms)
    providers = foreseen_providers(several, environ=environ, key_folder=job.key_folder)
    return await estimate_job_with(job, providers=providers)


async def estimate_job_with(job: TrainingJob, *, providers: Sequence[str]) -> Estimate:
    """`estimate_job` where it is known already of which provider each language model is: for a process that has no
    key."""
    job = job.effective()
    checked = preflight_check.read(job.csv, job.spec)
    first, *others = (
        one.model_copy(update={"provider": provider})
        for one, provider in zip((job.llm, *job.further_llms), providers, strict=True)
    )
    job = job.model_copy(update={"llm": first, "further_llms": tuple(others)})
    if first.provider == "local":
        found = _estimate_local(job, checked)
    else:
        async with contextlib.aclosing(await _open_model_to_estimate(job, first)) as model:
            found = await _estimate_remote(job, checked, model)
    for one in others:
        found = found.estimate_beside(await _estimate_further_annotator(job, one, checked), use=job.llm_use)
    return found


async def _open_model_to_estimate(job: TrainingJob, settings: LlmSettings) -> ChatModel:
    return await open_chat_model(
        settings,
        cache=job.cache,
        key_folder=job.key_folder,
        device="cpu",
        emit=ignore,
        api_key="no-key-is-needed",
        environ={},
    )


async def _estimate_further_annotator(job: TrainingJob, settings: LlmSettings, checked: Checked) -> AnnotatorEstimate:
    """What a language model after the first is asked: in a cascade once, what those before it leave open; side by side
    everything, and again in each round."""
    texts = len(checked.pool) * job.loop.annotate_share
    rounds = LATER_ROUND_SHARE * (job.loop.iterations - 1)
    calls = (Span(1, 1) + rounds) * texts
    if job.llm_use != "side_by_side":
        pilot = min(PILOT_TEXTS, texts)
        calls = Span(max(pilot, OPEN_SHARE.low * texts), max(pilot, OPEN_SHARE.high * texts))
    if settings.provider == "local":
        name = settings.model or PACKAGED_MODEL
        return AnnotatorEstimate("local", name, calls * (job.loop.demonstration_sets or FREE_SETS), usd=NOTHING)
    async with contextlib.aclosing(await _open_model_to_estimate(job, settings)) as model:
        first = label_prompt(job.spec.task, checked.pool.texts[0], style=model.style)
        counter = CountingModel(model, first=first, texts=checked.pool.texts)
        asked = calls * (Span(1, 1) + REPAIRED_SHARE)
        # without any demonstration at least, with as many as a later round shows at most
        prompt = Span(counter.input_tokens(first).low, _tokens_of_later_prompt(job, checked.pool, counter).high)
        part = CallGroup(asked, asked * prompt, NOTHING, asked * counter.answer_tokens, NOTHING, 0)
        price = price_of(model.provider, model.model, settings.prices)
        return AnnotatorEstimate(
            model.provider,
            model.model,
            asked,
            input_tokens=part.read,
            output_tokens=part.written,
            usd=None if price is None else part.cost_range_usd(price),
            seconds=part.seconds(settings),
        )


def _known_before_job(job: TrainingJob, pool: Pool, taught: dict[int, str], *, provider: str) -> Known:
    """What `train` would begin with: where labels changed, the answers of the version before."""
    known = Known(confirmed=taught, taught=taught)
    kept = label_change_job.kept_through_label_changes(
        job.spec,
        pool,
        known,
        previous_model=job.previous_model,
        provider=provider,
        llm=job.llm,
        loop=job.loop,
        emit=ignore,
    )
    return known if kept is None else kept.known


def _notes_on_estimate(job: TrainingJob, checked: Checked, known: Known) -> tuple[str, ...]:
    """What a person should know beside the figures."""
    notes = [*checked.table.dialect.notices, *checked.warnings]
    if known.annotations:
        notes.append(
            f"labels changed since the last version: {len(known.open_texts):,} texts can get another one and are "
            f"asked, {len(known.annotations) - len(known.open_texts):,} keep their answers (`force: true` asks all)"
        )
    if job.spec.pilot is not None and job.spec.pilot < len(checked.table.rows):
        notes.append(f"the first {job.spec.pilot:,} rows are a pilot: it waits for your word before the rest is asked")
    return tuple(notes)


def _estimate_local(job: TrainingJob, checked: Checked) -> Estimate:
    pool, taught = teach_evaluate_split.teach_evaluate_split(checked.pool, job.spec.label_use, seed=job.student.seed)
    known, sets = _known_before_job(job, pool, taught, provider="local"), job.loop.demonstration_sets or FREE_SETS
    to_ask = len(known.open_texts) if known.annotations else len(pool) - len(taught)
    first, asked = sets + (job.loop.zero_shot != "never"), to_ask * job.loop.annotate_share
    later = LATER_ROUND_SHARE * ((job.loop.iterations - 1) * sets)
    asked_as, columns = known.form or job.llm.form, pool.text_columns
    trial = trial_answers(asked_as, int(asked), task=job.spec.task, text_columns=columns)
    answers = (Span(first, first) + later) * asked + Span(trial, trial)
    on_gpu = _on_gpu(job)
    one_answer = MACHINES * stage_durations.answer_seconds(pool.texts, on_gpu=on_gpu) * _busy()
    form, shown = form_of(asked_as) or forms_for(job.spec.task, columns)[0], job.spec.demonstrations
    prompt = label_prompt(job.spec.task, pool.texts[0], style="completion", shared=shown, form=form)
    return Estimate(
        provider="local",
        model=job.llm.model or PACKAGED_MODEL,
        rows=len(checked.table.rows),
        warnings=_notes_on_estimate(job, checked, known),
        distinct_rows=len(pool),
        text_columns=pool.text_columns,
        known_labels=sum(label is not None for label in pool.truth or ()),
        stored=0,
        calls=answers,
        input_tokens=NOTHING,
        output_tokens=NOTHING,
        usd=NOTHING,
        price_source="",
        seconds=answers * one_answer if job.llm.model is None else None,
        training_seconds=_span_of_trainings(job, pool, on_gpu=on_gpu, names_only=False),
        budget_usd=job.llm.budget_usd,
        stands_in=False,
        first_prompt=in_full(prompt),
    )


async def _estimate_remote(job: TrainingJob, checked: Checked, model: ChatModel) -> Estimate:
    pool, taught = teach_evaluate_split.teach_evaluate_split(checked.pool, job.spec.label_use, seed=job.student.seed)
    known = _known_before_job(job, pool, taught, provider=model.provider)
    price = price_of(model.provider, model.model, job.llm.prices)
    counter = CountingModel(
        model, first=label_prompt(job.spec.task, pool.texts[0], style=model.style), texts=pool.texts
    )
    with StoredAnswers(job.answers) as stored, tempfile.TemporaryDirectory() as folder:
        annotator = Annotator(counter, stored, Ledger(price, None), ignore, job.llm.calibration)
        rounds = RoundStore(Path(folder), question="")
        with contextlib.suppress(FirstRoundOverError, TrainingError):
            await run_loop(
                job, pool, annotators=(annotator,), trainer=NoTrainer(), rounds=rounds, known=known, emit=ignore
            )
    first = counter.tally
    in_batch = _in_batches(job.llm, model.provider, first.calls)
    asked = Span(first.calls, first.calls)
    later = _later_calls(job, pool, asked=first.calls, stored=stored.found)
    later += REPAIRED_SHARE * (asked + later)
    read = later * _tokens_of_later_prompt(job, pool, counter)
    always = job.llm.mode == "batch" and in_batch
    written = later * counter.answer_tokens
    parts = [
        CallGroup(asked, first.input_tokens, first.cacheable_tokens, first.output_tokens, Span(in_batch, in_batch), 1),
        CallGroup(later, read, NOTHING, written, Span(always, in_batch), job.loop.iterations - 1),
    ]
    return Estimate(
        provider=model.provider,
        model=model.model,
        rows=len(checked.table.rows),
        warnings=_notes_on_estimate(job, checked, known),
        distinct_rows=len(pool),
        text_columns=pool.text_columns,
        known_labels=sum(label is not None for label in pool.truth or ()),
        stored=stored.found,
        calls=asked + later,
        input_tokens=first.input_tokens + read,
        output_tokens=first.output_tokens + written,
        usd=None if price is None else sum((part.cost_range_usd(price) for part in parts), NOTHING),
        price_source=_price_source(job.llm, model),
        seconds=sum((part.seconds(job.llm) for part in parts), NOTHING),
        training_seconds=_span_of_trainings(job, pool, on_gpu=_on_gpu(job), names_only=True),
        budget_usd=job.llm.budget_usd,
        stands_in=counter.stands_in,
        first_prompt=in_full(counter.first_prompt),
    )


def _in_batches(llm: LlmSettings, provider: str, calls: int) -> int:
    """1 where `calls` at once go through the batch service, else 0."""
    wanted = llm.mode == "batch" or (llm.mode == "auto" and calls >= llm.batch_from_rows)
    return int(provider == "anthropic" and wanted and calls > 0)


def _later_calls(job: TrainingJob, pool: Pool, *, asked: int, stored: int) -> Span:
    """Where the first round is stored already, so may be the later ones."""
    rounds = LATER_ROUND_SHARE * ((job.loop.iterations - 1) * len(pool) * job.loop.annotate_share)
    unknown = asked / (asked + stored) if asked + stored else 0.0
    return Span(rounds.low * unknown, rounds.high)


def _tokens_of_later_prompt(job: TrainingJob, pool: Pool, counter: CountingModel) -> Span:
    """A job's estimated tokens of a prompt with demonstrations of its own, on average over a sample of the pool."""
    task = job.spec.task
    sample = pool.texts[:: -(-len(pool) // _SAMPLED_TEXTS)]
    total = NOTHING
    for position, text in enumerate(sample):
        others = [sample[(position + step) % len(sample)] for step in range(1, job.loop.shots + 1)]
        own = [Demonstration(other, task.names[step % len(task.names)], "student") for step, other in enumerate(others)]
        shown = long_text_shortening.shorten_to_fit(text, own=own)
        total += counter.input_tokens(label_prompt(task, shown.text, style=counter.style, own=shown.own))
    return total * (1 / len(sample))


def _price_source(llm: LlmSettings, model: ChatModel) -> str:
    return "prices of llm.prices" if model.model in llm.prices else f"prices of {PRICES_AS_OF}"


def _span_of_trainings(job: TrainingJob, pool: Pool, *, on_gpu: bool, names_only: bool) -> Span:
    """All trainings, and what comes before and after them: one round at best, where the second settles, else all."""
    one = Span(*stage_durations.training_seconds(job.student, texts=len(pool), on_gpu=on_gpu, names_only=names_only))
    rounds = Span(1, job.loop.iterations) + Span(job.loop.compare_plain, job.loop.compare_plain)
    comparing = stage_durations.comparison_seconds(job.student, texts=len(pool), on_gpu=on_gpu)
    once = stage_durations.LOADING_SECONDS + stage_durations.WRITING_SECONDS + comparing
    return (rounds * one + Span(once, once)) * MACHINES * _busy()


def _on_gpu(job: TrainingJob) -> bool:
    from freeal.compute import device

    return device.choose(job.student).device.type != "cpu"


def _busy() -> Span:
    """How much longer everything takes at most while others use the cores as they do now."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return Span(1.0, 1.0 + load / cpu_threads.cores())
