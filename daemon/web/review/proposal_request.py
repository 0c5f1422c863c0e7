"""Proposals for boundary questions: what they would cost, and asking for them, within the cap that was shown."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
from starlette.exceptions import HTTPException

from daemon.journal.job_record import RUNNING
from daemon.limits.provider_of_version import provider_of_version
from daemon.limits.spend_beside_jobs import SpendBesideJobs
from daemon.review.review_in_child import Errands
from daemon.web.pages.page_context import Site
from daemon.web.review.review_desk import Edition
from freeal.errors import FreealError
from freeal.llm.credentials import environment_for

SUFFIX = "-proposals"
"""Behind a version's name: whose bill it is (freeal/job/new_version/proposal_job.py)."""


class Proposals:
    """Asks, one version at a time."""

    def __init__(self, site: Site, errands: Errands) -> None:
        self._site, self._errands = site, errands
        self._spend = SpendBesideJobs(site.journal, site.clock)
        self._asking = anyio.Lock()

    async def ask_for_proposals(self, edition: Edition, forecast: Mapping[str, Any]) -> None:
        """Have two answers proposed to each question that has none. `forecast` is what was shown: more is not spent.

        Raises `HTTPException` 409 where nobody can be asked or somebody asks already, `BudgetReachedError` where the
        day's money is spent, and `FreealError` for what went wrong.
        """
        if forecast.get("why_not") or not forecast.get("by"):
            raise HTTPException(409, detail=f"Nothing can be proposed: {forecast.get('why_not') or 'nobody to ask'}.")
        if self._asking.locked():
            raise HTTPException(409, detail="Proposals are being asked for already. Try again in a moment.")
        settings, most = self._site.settings, forecast["most_usd"]
        cap = None if most is None else forecast["spent_usd"] + most
        async with (
            self._asking,
            self._spend.leave_to_spend(
                edition.version + SUFFIX, answers=settings.answers, cap_usd=cap, daily_usd=settings.llm.daily_budget_usd
            ) as most_usd,
        ):
            provider = provider_of_version(edition.folder, settings.llm, key_folder=self._site.loaded.base)
            told = self.proposal_request_fields()
            told["llm"]["budget_usd"] = most_usd
            running = sum(job.state in RUNNING for job in self._site.records.unfinished())
            request = {"task": "propose", "version": os.fspath(edition.folder), "proposals": told}
            try:
                await self._errands.finish_in_child(
                    request | {"share": 1.0 / (1 + running)}, environment=environment_for(provider, os.environ)
                )
            finally:  # what was lost on the way counts in the next forecast
                self._errands.forget_all(f"questions {edition.version} ")

    def provider_of_proposals(self, version: Path) -> tuple[str | None, str]:
        """Who would be asked about a version, and why nobody can be."""
        try:
            return provider_of_version(version, self._site.settings.llm, key_folder=self._site.loaded.base), ""
        except FreealError as problem:
            return None, str(problem)

    def proposal_request_fields(self) -> dict[str, Any]:
        """What a request for proposals says beside version and file: the fields of a `ProposalJob`, ready for JSON."""
        settings = self._site.settings
        return {
            "answers": os.fspath(settings.answers),
            "cache": os.fspath(settings.state / "cache"),
            "key_folder": os.fspath(self._site.loaded.base),
            "llm": settings.llm.model_dump(mode="json"),
        }
