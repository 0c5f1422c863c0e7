"""daemon/jobs/cancelled_job_batches.py: a cancelled job's batches, at the address that is in force."""

from __future__ import annotations

import contextlib
from pathlib import Path

import anyio

from daemon.jobs.cancelled_job_batches import Batches
from daemon.jobs.finish_job import Endings
from daemon.journal.job_record import Job
from freeal.llm.batches.anthropic_batches import AnthropicBatches
from freeal.llm.batches.batch_journal import FILE_NAME, BatchBook
from freeal.llm.credentials import ApiKey
from freeal.llm.limits.retry import Retry
from freeal.llm.providers.anthropic import AnthropicModel
from freeal.settings import LlmSettings
from freeal.testing.server import BatchRules, MessagesServer
from freeal.types import Prompt

JOB = Job(id="m-1", name="m", key="k", csv_name="a.csv", spec_name="a.yaml", created_at=1.0, updated_at=1.0)


async def _submit(server, state):
    """A batch of the job at this server, in the record."""
    key = ApiKey("sk-ant-test", "test")
    async with contextlib.aclosing(AnthropicModel(key, retry=Retry(1), base_url=server.base_url)) as model:
        service = AnthropicBatches(model)
        with contextlib.closing(BatchBook(state / FILE_NAME)) as book:
            entry = book.note_intention(job=JOB.id, endpoint=service.endpoint, newest_before=None, keys=["k"])
            batch = await service.create({entry.custom_id("k"): Prompt("s", "", "t", ("a", "b"))})
            book.created(entry, batch.id)


def test_after_a_reload_batches_are_cancelled_at_the_new_address(settings, journal, hands, tmp_path, monkeypatch):
    """One that was sent to the address of the new settings is cancelled there, without a word of the old one."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-test")
    with MessagesServer(answer=str, batch_rules=BatchRules(polls_to_end=None)) as server:
        old, new = (
            settings.model_copy(update={"llm": LlmSettings(provider="anthropic", base_url=url)})
            for url in ("http://127.0.0.1:9/old", server.base_url)
        )
        batches = Batches(old, key_folder=Path(tmp_path))
        endings = Endings(old, journal, hands.clock, batches=batches)
        endings.adopt(new)
        anyio.run(_submit, server, settings.state)
        assert [] == anyio.run(batches.cancel_batches, JOB)
        assert "canceling" == server.batches.created[0].processing_status
