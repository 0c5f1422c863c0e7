"""A training job's process without torch: asks a server row by row, keeps answers as the library does, writes a model.

Its files, its store and its messages are the real ones; what a real job computes, this one makes up.
"""

# ruff: noqa: T201, S310 - what it prints is its answer; it asks the loopback

from __future__ import annotations

import csv
import hashlib
import json
import sys
import threading
import urllib.request
from pathlib import Path

import filelock

from daemon.processes.child_channel import failure_of
from freeal.files import atomic_write
from freeal.llm.store.answer_store import SqliteStore
from freeal.llm.store.bill_records import OpenCall
from freeal.types import Bill, Reply, Usage

EPOCHS = 3


def say(type_, **fields):
    print(json.dumps({"type": type_, **fields}), flush=True)


def ask(job, text):
    prompt = f"<text>\n{text}\n</text>"
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": prompt}]}
    headers = {"x-api-key": "sk-ant-test", "content-type": "application/json", "anthropic-version": "2023-06-01"}
    request = urllib.request.Request(job["llm"]["base_url"] + "/v1/messages", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.loads(response.read())["content"][0]["text"]


def annotate(job, rows, stop):
    store = SqliteStore(Path(job["answers"]), job=job["job_id"], asked_of="scripted")
    labels = {}
    for number, row in enumerate(rows, start=1):
        if stop.is_set():
            say("stopped")
            raise SystemExit
        key = hashlib.sha256(row["text"].encode()).hexdigest()
        kept = store.get_many([key])
        if key not in kept:
            call = OpenCall(0.01)
            store.put_many({}, opened=[call])
            kept = {key: Reply(text=ask(job, row["text"]))}
            store.put_many(kept, bill=Bill(0.01, Usage(calls=1, input_tokens=5, output_tokens=1)), closed=[call.id])
        labels[row["text"]] = json.loads(kept[key].text)["label"]
        bill = store.billed()
        say("progress", stage="annotating", round=1, done=number, total=len(rows), unit="rows")
        usage = {"calls": bill.usage.calls, "input_tokens": 1, "cached_tokens": 0, "output_tokens": 1}
        say("spend", usd=bill.usd, **usage)
    store.close()
    return labels


def train(job):
    for epoch in range(EPOCHS):
        say("progress", stage="training", round=1, done=epoch, total=EPOCHS, unit="epochs")
    folder = Path(job["work"])
    folder.mkdir(exist_ok=True)
    if not (folder / "round_1").exists():
        temporary = folder / ".round_1.tmp"
        temporary.mkdir(exist_ok=True)
        atomic_write.write_json(temporary / "round.json", {"round": 1})
        atomic_write.sync_tree(temporary)
        temporary.rename(folder / "round_1")
        atomic_write.sync(folder)
    say("round_finished", round=1, metrics={})


def write(job, header, rows, labels):
    output = Path(job["output"])
    (output / "model").mkdir(parents=True)
    atomic_write.write_json(output / "model" / "config.json", {"labels": sorted(set(labels.values()))})
    with atomic_write.writing(output / "annotated.csv") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*header, "freeal_label"])
        writer.writerows([*row.values(), labels[row["text"]]] for row in rows)
    if "version" in job:
        record = json.loads(Path(job["version"], "run.json").read_text())
    else:
        record = {"input": {"file": Path(job["csv"]).name}, "spec": job["spec"]}
    atomic_write.write_json(output / "run.json", record)
    atomic_write.write_json(output / "metrics.json", {"rows": len(rows)})


def main():
    job = json.loads(sys.stdin.readline())
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
    with filelock.FileLock(Path(job["work"]).parent / "process.lock", timeout=30):
        with Path(job["csv"]).open(newline="") as stream:
            reader = csv.DictReader(stream)
            rows, header = list(reader), reader.fieldnames
        if "version" in job:  # what a person corrected is not asked about
            labels = {row["text"]: row["freeal_corrected"] for row in rows}
        else:
            labels = annotate(job, rows, stop)
        train(job)
        write(job, header, rows, labels)
    say("result", content={"budget_reached": False, "metrics": {}})


if __name__ == "__main__":
    try:
        main()
    except OSError as problem:
        failure = failure_of(problem)
        say("failure", kind=failure.kind, problem=failure.problem, where=failure.where, hint=failure.hint)
