"""A damaged journal is set aside and built anew; what it knew is found again in the folders."""

from __future__ import annotations

import contextlib
import json
import sqlite3

import pytest
from rich.console import Console

from daemon import app
from daemon.config import Loaded
from daemon.errors import DamagedJournalError, NewerJournalError
from daemon.jobs.cancel_and_retry import write_request
from daemon.journal.job_record import State
from daemon.journal.journal import FILE_NAME, Journal
from daemon.recovery import damaged_journal
from freeal.llm.store.answer_store import SqliteStore
from freeal.settings import LlmSettings
from freeal.types import Bill, Reply, Usage

VANDAL = """
import json, os, pathlib, sqlite3, sys
job = json.loads(sys.stdin.readline())
once = pathlib.Path(job["work"]); once.mkdir(exist_ok=True)
if not (once / "done").exists():
    (once / "done").touch()
    journal = pathlib.Path(job["answers"]).with_name("journal.sqlite")
    connection = sqlite3.connect(journal)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    with journal.open("r+b") as stream:
        stream.seek(4096); stream.write(b"\\xff" * 40960)
program = pathlib.Path(__file__).with_name("scripted_train.py").read_text()
exec(program.replace("sys.stdin.readline()", "json.dumps(job)"))
"""


def _serve(world, *, train="scripted_train", llm=None):
    world.settings = world.settings.model_copy(update={"llm": llm} if llm else {})
    loaded = Loaded(world.settings, world.root, {})
    programs = app.Programs(train, "scripted_predict")
    return app.serve(loaded, once=True, console=Console(quiet=True), programs=programs)


def _kept(world):
    return sorted(path.name for path in world.settings.state.glob(f"{FILE_NAME}.damaged-*"))


def _garbage(path):
    path.write_bytes(b"this is no database at all, but it is long enough to look like one" * 99)


def _truncated(path):
    path.write_bytes(path.read_bytes()[:5000])


def _bad_page(path):
    content = bytearray(path.read_bytes())
    content[4096:8192] = b"\xff" * 4096
    path.write_bytes(content)


def _foreign_log(path):
    """The write-ahead log of another database, whole and sound, appears beside the journal."""
    other = path.with_name("other.sqlite")
    with contextlib.closing(sqlite3.connect(other)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        for number in range(50):
            connection.execute(f"CREATE TABLE t{number} (x TEXT)")
        connection.commit()
        path.with_name(f"{FILE_NAME}-wal").write_bytes(other.with_name("other.sqlite-wal").read_bytes())
    other.unlink()


def _nonsense(path):
    """Every page is sound, and a row makes no sense."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE jobs SET state = 'trainng'")
        connection.commit()


@pytest.mark.parametrize("damage", [_garbage, _truncated, _bad_page, _foreign_log, _nonsense])
def test_whatever_is_wrong_with_the_journal_the_service_starts_and_knows_what_is_done(world, damage):
    """The damaged file is kept whole under another name; the same content is still done already, and not run again."""
    world.drop()
    world.run()
    [first] = world.jobs()
    damage(world.settings.state / FILE_NAME)
    broken = (world.settings.state / FILE_NAME).read_bytes()
    world.drop()
    assert 0 == _serve(world).exit_code
    kept = [name for name in _kept(world) if not name.endswith(("-wal", "-shm"))]
    if damage not in {_foreign_log, _nonsense}:  # of which SQLite folds in a log, or the service says that it lives
        assert broken == (world.settings.state / kept[0]).read_bytes()
    jobs = world.jobs()
    assert (2, {State.DONE}) == (len(jobs), {job.state for job in jobs})
    assert first.id in {job.id for job in jobs}
    assert [first.id] == [job.reason.split()[-1] for job in jobs if job.id != first.id]
    assert [str(world.settings.state / kept[0])] == [
        line.split(" is ")[1].split(":")[0] for line in damaged_journal.warnings_of_journals(world.settings.state)
    ]


def test_damage_that_shows_while_the_service_runs_is_healed_too(world):
    """The run ends, another begins with a new journal, and the job that was under way goes on."""
    (world.root.parent / "programs" / "vandal_train.py").write_text(VANDAL)
    world.drop()
    assert 0 == _serve(world, train="vandal_train").exit_code
    assert 1 == len([name for name in _kept(world) if not name.endswith(("-wal", "-shm"))])
    [job] = world.jobs()
    assert (State.DONE, ["a.csv", "a.yaml"], []) == (
        job.state,
        world.names("inbox", "done", job.id),
        world.names("state", "work"),
    )


def test_a_journal_of_a_later_version_is_never_set_aside(world):
    """It is sound, and only a later version can read it."""
    world.run()
    with contextlib.closing(sqlite3.connect(world.settings.state / FILE_NAME)) as connection:
        connection.execute("PRAGMA user_version=99")
    with pytest.raises(NewerJournalError):
        _serve(world)
    assert [] == _kept(world)


def test_a_damaged_journal_is_an_error_for_whoever_may_not_replace_it(settings, hands):
    """`status` and `retry` beside the service say what is wrong and change nothing."""
    _garbage(settings.state / FILE_NAME)
    with pytest.raises(DamagedJournalError, match="sets it aside at its next start"):
        Journal(settings.state, hands.clock)


def _lose_the_journal(world):
    for path in world.settings.state.glob(f"{FILE_NAME}*"):
        path.unlink()


def test_claimed_work_goes_on_without_the_journal(world):
    """Inputs and rounds in the work folder are all it takes; the job keeps its id."""
    world.drop(csv="text\ncap\n")
    assert 3 == world.run()
    [job] = world.jobs()
    _lose_the_journal(world)
    assert 3 == world.run()
    [again] = world.jobs()
    assert (job.id, State.PAUSED, job.spec, job.csv_sha256, job.created_at // 1) == (
        again.id,
        again.state,
        again.spec,
        again.csv_sha256,
        again.created_at,
    )
    assert "xx" == (world.settings.work / job.id / "rounds" / "runs").read_text()


def test_a_failed_job_can_be_retried_without_the_journal(world):
    """Its folder in failed/ says what it was and why it failed."""
    world.drop(csv="text\ncrash\n")
    assert 1 == world.run()
    _lose_the_journal(world)
    world.run()
    [job] = world.jobs()
    assert (State.FAILED, "ChildError") == (job.state, job.error["kind"])
    (world.settings.inbox / "failed" / job.id / "a.csv").write_text("text\nfine\n")
    with world.journal() as journal:
        write_request(journal, job.id, "retry")
    assert 0 == world.run()
    assert [(job.id, State.DONE)] == [(one.id, one.state) for one in world.jobs()]


def test_a_publishing_cut_off_is_finished_without_the_journal(world):
    """A finished run carries its own record: it is published, not run again."""
    world.drop()
    world.run()
    [job] = world.jobs()
    shelf = world.settings.models / "a"
    work = world.settings.work / job.id
    work.mkdir()
    (shelf / "versions" / job.id).rename(work / "output")
    (shelf / "model").unlink()
    (world.settings.inbox / "done" / job.id).rename(work / "input")
    _lose_the_journal(world)
    assert 0 == world.run()
    [again] = world.jobs()
    assert (job.id, State.DONE, job.key, job.attempts) == (again.id, again.state, again.key, again.attempts)
    assert ["a.csv", "a.yaml"] == world.names("inbox", "done", job.id)


def test_predictions_are_known_without_the_journal(world):
    """Finished ones are listed, a claimed one is done."""
    world.drop()
    world.run()
    world.drop_to_predict()
    world.run()
    with world.journal() as journal:
        [done] = journal.predictions()
    _lose_the_journal(world)
    begun = world.settings.work / "predict-a-20251122-120000-abcdef" / "input"
    begun.mkdir(parents=True)
    (begun / "x.csv").write_text("x\n")
    assert 0 == world.run()
    with world.journal() as journal:
        assert {done.id: "done", begun.parent.name: "done"} == {one.id: one.state for one in journal.predictions()}


def test_what_was_spent_today_still_counts_against_the_day(world, monkeypatch):
    """The answer store holds each job's bill: after the journal is lost, no job gets the day's money twice."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-test")
    store = SqliteStore(world.settings.answers, job="a-20251122-120000-abcdef")
    store.put_many({"k": Reply(text="x")}, bill=Bill(0.2, Usage(calls=1)))
    store.close()
    world.drop()
    report = _serve(world, llm=LlmSettings(provider="anthropic", daily_budget_usd=0.3))
    assert (0, State.DONE) == (report.exit_code, report.jobs[0].state)
    metrics = json.loads((world.settings.models / "a" / "metrics.json").read_text())
    assert pytest.approx(0.1) == metrics["budget_usd"]
