"""A training job's process that asks as the real one does, and computes nothing: client, store, ledger and batches are
the library's. What a real job trains and writes, this one makes up."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import sys
import threading
from pathlib import Path

import anyio
import anyio.from_thread
import anyio.lowlevel
import filelock
from scripted_train import say, train, write

from daemon.processes.child_channel import failure_of
from freeal.annotation.annotator import LabelRequest
from freeal.errors import FreealError
from freeal.events import Spend, ignore
from freeal.job.annotators_of_job import annotating
from freeal.job.open_chat_model import open_chat_model
from freeal.settings import LlmSettings
from freeal.spec.job_spec import Spec


def tell(event):
    if isinstance(event, Spend):
        usage = {"calls": event.calls, "input_tokens": 1, "cached_tokens": 0, "output_tokens": 1}
        say("spend", usd=event.usd, unconfirmed_usd=event.unconfirmed_usd, **usage)


async def ask(job, texts):
    """Labels by text."""
    settings = LlmSettings.model_validate(job["llm"])
    model = await open_chat_model(
        settings,
        cache=Path(job["cache"]),
        key_folder=Path(job["key_folder"]),
        device="cpu",
        emit=ignore,
        api_key=None,
        environ=os.environ,
    )
    requests = [LabelRequest(number, text) for number, text in enumerate(texts)]
    async with contextlib.aclosing(model):
        with annotating([model], [settings], answers=Path(job["answers"]), job_id=job["job_id"], emit=tell) as (
            annotator,
        ):
            task = Spec.model_validate(job["spec"]).task
            notes = await annotator.annotate(requests, task=task, round_number=1)
    return {texts[note.index]: note.label for note in notes}


async def ask_until_stopped(job, texts):
    """The same; None when the end of stdin, the daemon's, came first."""
    with anyio.CancelScope() as scope:
        token = anyio.lowlevel.current_token()
        threading.Thread(target=stop_at_end, args=(scope, token), daemon=True).start()
        return await ask(job, texts)
    return None


def stop_at_end(scope, token):
    sys.stdin.read()
    with contextlib.suppress(RuntimeError):  # the job has ended
        anyio.from_thread.run_sync(scope.cancel, token=token)


def main():
    job = json.loads(sys.stdin.readline())
    with filelock.FileLock(Path(job["work"]).parent / "process.lock", timeout=30):
        with Path(job["csv"]).open(newline="") as stream:
            reader = csv.DictReader(stream)
            rows, header = list(reader), reader.fieldnames
        labels = anyio.run(ask_until_stopped, job, [row["text"] for row in rows])
        if labels is None:
            say("stopped")
            return
        train(job)
        write(job, header, rows, labels)
    say("result", content={"budget_reached": False, "metrics": {}})


if __name__ == "__main__":
    try:
        main()
    except (OSError, FreealError) as problem:
        failure = failure_of(problem)
        say("failure", kind=failure.kind, problem=failure.problem, where=failure.where, hint=failure.hint)
