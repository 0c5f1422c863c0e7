"""Rules between labels that compete, proposed by the language model that annotates: what that costs at most, then one
call for each pair, stored like every answer, so that neither a kill nor a second run pays for it again."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from freeal.annotation.send_prompts import Asker
from freeal.boundaries import boundaries_file, rule_proposals
from freeal.boundaries.boundaries_file import Boundaries
from freeal.errors import ConfigError, CredentialsError
from freeal.events import Emit, Notice, ignore
from freeal.job.open_chat_model import open_chat_model
from freeal.job.resolve_provider import resolve_provider
from freeal.llm.limits.rate_limiter import Limiter
from freeal.llm.protocols import ChatModel
from freeal.llm.store import store_maintenance
from freeal.llm.store.answer_store import SqliteStore, request_key
from freeal.llm.store.read_only_store import StoredAnswers
from freeal.money.budget_ledger import Ledger
from freeal.money.call_ceiling import call_ceiling
from freeal.money.prices import cost_usd, price_of
from freeal.results.llm_of_version import llm_of_version_in_words, llm_settings_as_annotated
from freeal.results.run_json_file import read_spec_of_version
from freeal.settings import LlmSettings, Provider
from freeal.spec.job_spec import Spec
from freeal.types import Bill

SUFFIX = "-proposals"
"""Behind a version's name: whose bill it is."""


class ProposalJob(BaseModel):
    """What asking for proposals needs, and nothing secret. `questions` is the boundaries.yaml that gets them; the other
    fields are those of `TrainingJob`. `llm.budget_usd` caps what all runs for this version cost."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Path
    questions: Path
    answers: Path
    cache: Path
    key_folder: Path
    llm: LlmSettings = LlmSettings()

    @property
    def job_id(self) -> str:
        """Whose bill it is."""
        return self.version.resolve().name + SUFFIX


@dataclasses.dataclass(frozen=True, slots=True)
class Forecast:
    """Who would be asked (`provider/model`), how many calls that takes, the most they can cost (None where no price is
    known), and what earlier runs came to. `why_not` says why nobody can be asked, "" where somebody can."""

    by: str = ""
    calls: int = 0
    most_usd: float | None = 0.0
    spent_usd: float = 0.0
    why_not: str = ""

    @property
    def cap_usd(self) -> float | None:
        """What all runs together come to at most; None where no price is known."""
        return None if self.most_usd is None else self.spent_usd + self.most_usd


async def forecast_proposals(
    job: ProposalJob,
    *,
    provider: Provider | None = None,
    api_key: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Forecast:
    """What `propose_rules` would ask and cost at most; asks nobody. What is stored already costs nothing. Where it is
    known already which `provider` it is, no key is needed."""
    questions = boundaries_file.read_questions(job.questions)
    spec = read_spec_of_version(job.version)
    prompts = rule_proposals.proposal_prompts(questions, spec.task)
    if not prompts:
        return Forecast(why_not="each question has its proposals")
    try:
        async with _open_proposing_model(job, spec, provider=provider, api_key=api_key, environ=environ) as model:
            if model is None:
                return Forecast(why_not=_why_not(job))
            keys = {place: request_key(prompt, model.fingerprint) for place, prompt in prompts.items()}
            with StoredAnswers(job.answers) as store:
                stored = store.get_many(keys.values())
            calls = [prompts[place] for place, key in keys.items() if key not in stored]
            settings = spec.llm_settings(job.llm)
            price = price_of(model.provider, model.model, settings.prices)
            most = None if price is None else sum(cost_usd(call_ceiling(prompt), price) for prompt in calls)
            spent = store_maintenance.bills_in_store(job.answers).get(job.job_id, Bill())
            by = f"{model.provider}/{model.model}"
            return Forecast(by, len(calls), most, spent.usd + spent.unconfirmed_usd)
    except (ConfigError, CredentialsError) as error:
        return Forecast(why_not=str(error))


def _why_not(job: ProposalJob) -> str:
    """Whose language model it is that writes nothing: the version's own, or another one that would be asked."""
    by, weighs = llm_of_version_in_words(job.version), "weighs labels, it writes no sentences"
    if by.startswith("local/"):
        return f"the language model of this version, {by}, {weighs}"
    return f"{by} annotated this version; the one that would be asked is in this machine's memory and {weighs}"


async def propose_rules(
    job: ProposalJob,
    *,
    emit: Emit = ignore,
    api_key: str | None = None,
    environ: Mapping[str, str] = os.environ,
    limiter: Limiter | None = None,
    chat_model: ChatModel | None = None,
) -> tuple[Boundaries, Bill]:
    """Ask for two proposals for each pair that has none, write them into the file of questions; what it holds then, and
    what this and earlier runs came to. May be called again after a crash: what was answered is not asked again.

    Raises `ConfigError` where the language model writes nothing, or no cap can be kept for want of a price, and the
    classes of `LlmError`.
    """
    questions, spec = boundaries_file.read_questions(job.questions), read_spec_of_version(job.version)
    prompts = rule_proposals.proposal_prompts(questions, spec.task)
    async with _open_proposing_model(
        job, spec, emit=emit, api_key=api_key, environ=environ, limiter=limiter, chat_model=chat_model
    ) as model:
        if model is None:
            raise ConfigError(f"nothing can be proposed: {_why_not(job)}", hint="name another with llm.provider")
        by, settings = f"{model.provider}/{model.model}", spec.llm_settings(job.llm)
        job.answers.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.closing(SqliteStore(job.answers, job=job.job_id, asked_of=by)) as store:
            price = price_of(model.provider, model.model, settings.prices)
            ledger = Ledger(price, settings.budget_usd, model=model.model, spent=store.begin())
            asker = Asker(model, store, ledger, emit)
            said = await rule_proposals.ask_for_proposals(prompts, asker, fingerprint=model.fingerprint)
            bill = store.billed()
    if unanswered := sum(not one for one in said.values()):
        emit(Notice(f"{unanswered:,} of {len(said):,} questions got no proposal that can be used"))
    found = rule_proposals.with_proposals(questions, said, by=by)
    if found != questions:
        boundaries_file.write_boundaries(job.questions, found)
    return found, bill


@contextlib.asynccontextmanager
async def _open_proposing_model(
    job: ProposalJob,
    spec: Spec,
    *,
    provider: Provider | None = None,
    emit: Emit = ignore,
    api_key: str | None,
    environ: Mapping[str, str],
    limiter: Limiter | None = None,
    chat_model: ChatModel | None = None,
) -> AsyncIterator[ChatModel | None]:
    """The language model that annotated the version, or the one that its spec and the settings name; None where it
    writes nothing. One in memory is not even loaded."""
    if chat_model is not None:
        yield chat_model if chat_model.writes else None
        return
    settings = llm_settings_as_annotated(spec.llm_settings(job.llm), job.version)
    if provider is not None:
        settings, api_key = settings.model_copy(update={"provider": provider}), "no-key-is-needed"
    found, _ = resolve_provider(settings, api_key=api_key, environ=environ, key_folder=job.key_folder)
    if found == "local":
        yield None
        return
    opened = await open_chat_model(
        settings,
        cache=job.cache,
        key_folder=job.key_folder,
        device="cpu",
        emit=emit,
        api_key=api_key,
        environ=environ,
        limiter=limiter,
    )
    async with contextlib.aclosing(opened):
        yield opened if opened.writes else None
