"""Damaged pairs by the hundred, dropped into a running service with good ones among them: it lives, and says of each
what became of it. Tables are read by the real reader, in a process per job; nothing is trained."""

from __future__ import annotations

import json
import os
import random
import signal
import time

import anyio
import anyio.lowlevel
import pytest

from daemon.host.clock import Clock
from daemon.host.fault_guard import INTERNAL
from daemon.inbox.inbox_scan import Scanner
from daemon.inbox.pairing import is_ignored
from daemon.inbox.unsupported_files import NOTE_SUFFIX
from daemon.journal.job_record import FINISHED, State
from freeal.text.printable_text import is_visible, one_line, visible

TRAIN = """
import json, pathlib, shutil, sys
from daemon.processes.child_channel import Channel, failure_of
from daemon.processes.message_protocol import Result
from freeal.preflight import preflight_check
from freeal.spec.job_spec import Spec
channel = Channel.take_stdout()
job = json.loads(sys.stdin.readline())
try:
    preflight_check.read(pathlib.Path(job["csv"]), Spec.model_validate(job["spec"]))
    out = pathlib.Path(job["output"])
    (out / "model").mkdir(parents=True)
    (out / "model" / "config.json").write_text("{}")
    (out / "metrics.json").write_text("{}")
    shutil.copyfile(job["csv"], out / "annotated.csv")
    channel.send(Result({"budget_reached": False, "metrics": {}}))
except Exception as error:
    channel.send(failure_of(error))
"""
GOOD_CSV = (
    "id,text,label\n" + "".join(f'{row},"a text, with ünïcode\nand lines {row}",good\n' for row in range(30))
).encode()
GOOD_SPEC = b"""\
description: What the reviewer felt.
labels: {good: they liked it, bad: they did not}
text_columns: [text]
id_column: id
examples: [[fine, good], [awful, bad]]
"""
HOSTILE = (
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b'"',
    b"\r",
    b"\n" * 50,
    b",;\t|",
    b"\x1b[2J",
    b"*a",
    b"!!python/name:os.system ",
    b"[" * 500,
)
NAMES = (
    "-f",
    "a b",
    "$(touch x)",
    "🦄",
    "x\ny",
    "\x1b[31m",
    "é" * 70,
    os.fsdecode(b"\xff"),
    ".hidden",
    "..",
    "a" * 240,
    "~a",
    "CON",
)


def _damaged(content, chance):
    """One way in which a file goes wrong on its way."""
    place = chance.randrange(len(content) + 1)
    way = chance.randrange(7)
    if way == 0:
        return content[:place]
    if way == 1:
        flipped = bytearray(content)
        for _ in range(chance.randrange(1, 20)):
            flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
        return bytes(flipped)
    if way == 2:
        return content[:place] + chance.choice(HOSTILE) + content[place:]
    if way == 3:
        return content.decode().encode(chance.choice(["utf-16", "utf-32", "utf-8-sig", "cp1252", "utf-7"]), "replace")
    if way == 4:
        lines = content.splitlines(keepends=True)
        chance.shuffle(lines)
        return b"".join(lines)
    if way == 5:
        return chance.randbytes(chance.randrange(0, 400))
    return content * chance.randrange(2, 30)


def _drop(inbox, number, chance):
    """A pair under a name of its own; whether it is a good one."""
    is_good = number % 5 == 0
    strange = chance.choice(NAMES) if not is_good and chance.random() < 0.3 else ""
    stem = f"good{number}" if is_good else f"{strange}{'' if chance.random() < 0.1 else f'n{number}'}"
    # a byte of its own, so that no pair is taken for another one that is done
    csv, spec = GOOD_CSV + f"x{number},own,bad\n".encode(), GOOD_SPEC
    if not is_good:
        which = chance.randrange(4)
        csv = _damaged(csv, chance) if which != 1 else csv
        spec = _damaged(spec, chance) if which != 0 else spec
        csv, spec = (spec, csv) if which == 3 else (csv, spec)
    for suffix, content in ((".csv", csv), (".yaml", spec)):
        try:
            (inbox / f"{stem}{suffix}").write_bytes(content)
        except (OSError, ValueError):
            return  # a name no file system takes


def _settled(world):
    """Whether there is nothing left to be done: no job is under way, and what lies in the inbox waits for a person."""
    with world.journal() as journal:
        if any(job.state not in FINISHED for job in journal.jobs()):
            return False
    scan = Scanner(world.settings).scan(Clock().steady())
    return not scan.pairs.ready and scan.next_ready_at is None


def _fuzz(world, *, pairs, seed):
    (world.root.parent / "programs" / "scripted_train.py").write_text(TRAIN)
    jobs = world.settings.jobs.model_copy(update={"parallel": 2})
    world.settings = world.settings.model_copy(update={"jobs": jobs})
    chance = random.Random(seed)

    async def drop_and_stop():
        for number in range(pairs):
            _drop(world.settings.inbox, number, chance)
            await anyio.lowlevel.checkpoint()
        end = time.monotonic() + 1500
        while not await anyio.to_thread.run_sync(_settled, world):
            assert time.monotonic() < end, "the service has not come to an end"
            await anyio.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)

    assert 0 == world.run(once=False, beside=drop_and_stop)
    _check(world, pairs)


def _check(world, pairs):
    states = {job.name: job.state for job in world.jobs()}
    good = {f"good{number}" for number in range(0, pairs, 5)}
    assert {State.DONE} == {states[name] for name in good}
    for job in world.jobs():
        folder = world.settings.inbox / ("done" if job.state is State.DONE else "failed") / job.id
        assert {job.csv_name, job.spec_name} <= {entry.name for entry in folder.iterdir()}
        if job.state is State.FAILED:
            assert job.error["kind"] not in {INTERNAL, "ChildError"}, job.error
            assert "unexpected" not in job.error["problem"], job.error
            prose = (folder / "ERROR.txt").read_text(encoding="utf-8")
            assert "What:" in prose
            assert prose == visible(prose)
    scan = Scanner(world.settings).scan(0.0)
    reasons = {entry.name: entry.reason for entry in scan.waiting}
    left = [entry.name for entry in world.settings.inbox.iterdir() if entry.is_file()]
    unexplained = [name for name in left if one_line(name) not in reasons and not is_ignored(name)]
    assert [] == [name for name in unexplained if not name.endswith(NOTE_SUFFIX)]
    assert all(is_visible(reason) for reason in reasons.values())
    assert [] == world.names("state", "work")
    json.dumps(reasons, ensure_ascii=False).encode()


@pytest.mark.timeout(300)
def test_damaged_pairs_harm_neither_the_service_nor_good_pairs(world):
    """Sixty pairs, every fifth good: all good ones are done, every other one is done, failed or waits with a reason."""
    _fuzz(world, pairs=60, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_thousand_damaged_pairs(world):
    """The same a thousand times over."""
    _fuzz(world, pairs=1000, seed=2)
