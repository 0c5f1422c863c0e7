"""freeal/llm/store/answer_store.py."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import resource
import sqlite3
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeal.annotation.annotator import Annotator, LabelRequest
from freeal.errors import ConfigError, StoreBusyError
from freeal.events import ignore
from freeal.llm.store import store_maintenance
from freeal.llm.store.answer_store import MemoryStore, SqliteStore, request_key
from freeal.llm.store.bill_records import OpenCall
from freeal.llm.store.read_only_store import StoredAnswers
from freeal.money.budget_ledger import Ledger
from freeal.money.prices import FREE
from freeal.testing.scripted_model import ScriptedModel, text_of
from freeal.types import Bill, Demonstration, Label, Prompt, Reply, Task, Usage

PROMPT = Prompt(system="s", shared="t", specific="u", labels=("a", "b"))
REPLY = Reply(text='{"label": "a"}', outcome="cut_off", truncated=True, usage=Usage(1, 20, 5, 3, 2))
SCORES = Reply(scores=(-1.5, -0.25), usage=Usage(1, 7))


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    """Both kinds of store."""
    opened = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "deep" / "answers.db")
    yield opened
    opened.close()


def test_replies_come_back_whole(store):
    """Text, scores, stop reason and usage survive; unknown keys are simply missing."""
    store.put_many({"one": REPLY, "two": SCORES})
    assert {"one": REPLY, "two": SCORES} == store.get_many(["two", "one", "three"])


def test_more_keys_than_a_query_takes(store):
    """Thousands of keys are looked up in one call."""
    replies = {str(number): Reply(text=str(number)) for number in range(1200)}
    store.put_many(replies)
    assert replies == store.get_many([*replies, "missing"])


def test_answers_survive_reopening(tmp_path):
    """What was put is there after the file was closed and opened again."""
    first = SqliteStore(tmp_path / "answers.db")
    first.put_many({"k": REPLY})
    first.close()
    second = SqliteStore(tmp_path / "answers.db")
    assert {"k": REPLY} == second.get_many(["k"])
    second.close()


def test_answers_survive_a_killed_process(tmp_path):
    """put_many has them on disk when it returns: a process that dies at once loses nothing."""
    path = tmp_path / "answers.db"
    program = (
        "import os, sys, pathlib\n"
        "from freeal.llm.store.answer_store import SqliteStore\n"
        "from freeal.types import Reply\n"
        "SqliteStore(pathlib.Path(sys.argv[1])).put_many({'k': Reply(text='paid')})\n"
        "os._exit(9)\n"
    )
    assert 9 == subprocess.run([sys.executable, "-c", program, path], check=False).returncode
    store = SqliteStore(path)
    assert "paid" == store.get_many(["k"])["k"].text
    store.close()


def test_several_processes_write_at_once(tmp_path):
    """Three processes that open and write the same new file together lose no answer."""
    path = tmp_path / "answers.db"
    program = (
        "import sys, pathlib\n"
        "from freeal.llm.store.answer_store import SqliteStore\n"
        "from freeal.types import Reply\n"
        "store = SqliteStore(pathlib.Path(sys.argv[1]))\n"
        "for n in range(20): store.put_many({f'{sys.argv[2]}-{n}': Reply(text=str(n))})\n"
        "store.close()\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", program, path, name]) for name in "abc"]
    assert [0, 0, 0] == [process.wait() for process in running]
    store = SqliteStore(path)
    assert 60 == len(store.get_many(f"{name}-{n}" for name in "abc" for n in range(20)))
    store.close()


def test_a_later_format_is_refused(tmp_path):
    """A file written by a later version is left alone, with an error that names it."""
    path = tmp_path / "answers.db"
    SqliteStore(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(ConfigError, match=r"answers\.db.*format 99"):
        SqliteStore(path)


def test_a_damaged_file_is_refused(tmp_path):
    """Garbage is an error that says what to do, not a traceback of SQLite."""
    path = tmp_path / "answers.db"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(ConfigError, match="move the file away"):
        SqliteStore(path)


def test_a_damaged_entry_counts_as_missing(tmp_path):
    """An unreadable answer is asked for again, and the new one replaces it."""
    path = tmp_path / "answers.db"
    store = SqliteStore(path)
    store.put_many({"k": REPLY})
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE replies SET reply = '{\"text\": 1'")
    connection.close()
    assert {} == store.get_many(["k"])
    store.put_many({"k": REPLY})
    assert {"k": REPLY} == store.get_many(["k"])
    store.close()


def test_the_key_covers_every_part_of_the_request():
    """Changing any field of the prompt, the order of labels, or the fingerprint changes the key."""
    changed = [
        dataclasses.replace(PROMPT, system="x"),
        dataclasses.replace(PROMPT, shared="x"),
        dataclasses.replace(PROMPT, specific="x"),
        dataclasses.replace(PROMPT, labels=("b", "a")),
        Prompt(system="st", shared="", specific="u", labels=("a", "b")),
    ]
    keys = {request_key(PROMPT, "f"), request_key(PROMPT, "g"), *(request_key(prompt, "f") for prompt in changed)}
    assert 7 == len(keys)


def test_the_key_is_stable():
    """The same request has the same key in every version: this very value is in users' files."""
    assert "d3af7e1cfe5d485d85b45e7a86a5e8c34dc9c3a36c6f21fdfb790cf021f8b072" == request_key(PROMPT, "f")


@given(st.text(st.characters()))
def test_any_text_has_a_key(text):
    """Half surrogate pairs and control characters included."""
    assert 64 == len(request_key(dataclasses.replace(PROMPT, specific=text), "f"))


def test_answers_survive_a_kill_in_the_middle_of_writing(tmp_path):
    """SIGKILL while a process writes without pause: every reply it reported is there, whole, and billed once."""
    path = tmp_path / "answers.db"
    program = (
        "import sys, pathlib\n"
        "from freeal.llm.store.answer_store import SqliteStore\n"
        "from freeal.types import Bill, Reply, Usage\n"
        "store = SqliteStore(pathlib.Path(sys.argv[1]), job='j')\n"
        "n = 0\n"
        "while True:\n"
        "    store.put_many({str(n): Reply(text='paid ' * 500)}, bill=Bill(1.0, Usage(1)))\n"
        "    print(n, flush=True)\n"
        "    n += 1\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, path], stdout=subprocess.PIPE, text=True) as writer:
        reported = [int(writer.stdout.readline()) for _ in range(50)]
        writer.kill()
        reported += [int(line) for line in writer.stdout]
    store = SqliteStore(path, job="j")
    found = store.get_many(str(number) for number in range(len(reported) + 2))
    assert {str(number) for number in reported} <= set(found)
    assert {"paid " * 500} == {reply.text for reply in found.values()}
    assert Bill(float(len(found)), Usage(len(found))) == store.billed()
    store.close()


def test_bills_are_kept_by_job(tmp_path):
    """What a job was billed adds up over its runs, survives reopening and can be begun anew."""
    path = tmp_path / "answers.db"
    for job in ("one", "two", "one"):
        store = SqliteStore(path, job=job)
        store.put_many({"k": REPLY}, bill=Bill(0.5, Usage(1, 20, 5, 3, 2)))
        store.close()
    one, two, other = (SqliteStore(path, job=job) for job in ("one", "two", "three"))
    assert [Bill(1.0, Usage(2, 40, 10, 6, 4)), Bill(0.5, Usage(1, 20, 5, 3, 2)), Bill()] == [
        store.billed() for store in (one, two, other)
    ]
    one.forget_bill()
    assert (Bill(), 0.5) == (one.billed(), two.billed().usd)
    for store in (one, two, other):
        store.close()


def test_bills_of_a_model_are_told_together(tmp_path):
    """Those of all its jobs, each under an id that it keeps until it is forgotten; another model's are left out."""
    path = tmp_path / "answers.db"

    def open_for(job, billed_to):
        return contextlib.closing(SqliteStore(path, job=job, billed_to=billed_to))

    for job, billed_to, usd in (("one", "m", 0.5), ("two", "m", 0.25), ("three", "other", 1.0), ("one", "m", 0.5)):
        with open_for(job, billed_to) as store:
            store.put_many({}, bill=Bill(usd, Usage(1)))
    with open_for("four", "m") as store:
        store.put_many({}, opened=[OpenCall(0.125)])
    with open_for("one", "m") as store:
        told = store.bills_of_model()
        bills = {"one": Bill(1.0, Usage(2)), "two": Bill(0.25, Usage(1)), "four": Bill(unconfirmed_usd=0.125)}
        assert bills == {one.job: one.bill for one in told}
        assert 3 == len({one.id for one in told})
        store.forget_bill()
        store.put_many({}, bill=Bill(0.5, Usage(1)))
        ids = {one.job: one.id for one in store.bills_of_model()}
    assert [False, True] == [ids[one.job] == one.id for one in told[:2]]
    with open_for("five", "") as store:
        assert [] == store.bills_of_model()


def test_a_store_of_the_first_format_keeps_its_answers(tmp_path):
    """Opened by this version it is brought up to date; nothing is asked again."""
    path = tmp_path / "answers.db"
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TABLE replies (key TEXT PRIMARY KEY, reply TEXT NOT NULL, stored_at REAL NOT NULL) WITHOUT ROWID"
        )
        old = json.dumps({"text": "paid", "scores": None, "stop_reason": "end_turn", "truncated": False, "usage": {}})
        connection.execute("INSERT INTO replies VALUES ('k', ?, 1.0)", (old,))
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    store = SqliteStore(path, job="j", asked_of="a/m")
    assert {"k": Reply(text="paid")} == store.get_many(["k"])
    store.put_many({"l": REPLY}, bill=Bill(0.1))
    assert 0.1 == store.billed().usd
    assert ["j"] == [one.job for one in store.bills_of_model()]
    store.close()
    assert [("", 1, 1), ("a/m", 1, 0)] == [
        (share.asked_of, share.entries, share.hits)
        for share in sorted(store_maintenance.store_contents(path), key=lambda c: c.asked_of)
    ]


def test_hits_are_counted_and_looking_is_not_one(tmp_path):
    """Each use of a stored answer counts once; an estimate leaves no trace."""
    path = tmp_path / "answers.db"
    store = SqliteStore(path, asked_of="anthropic/m")
    store.put_many({str(number): REPLY for number in range(1200)})
    store.get_many(str(number) for number in range(1200))
    store.get_many(["1", "2", "missing"])
    store.close()
    with StoredAnswers(path) as looked_at:
        assert {"1": REPLY} == looked_at.get_many(["1", "missing"])
        assert 1 == looked_at.found
        looked_at.put_many({"new": REPLY})
    [share] = store_maintenance.store_contents(path)
    assert ("anthropic/m", 1200, 1202) == (share.asked_of, share.entries, share.hits)


def test_a_missing_store_is_an_empty_one_to_look_at(tmp_path):
    """And is not made by looking; asking what lies in it is an error that names it."""
    with StoredAnswers(tmp_path / "none.db") as looked_at:
        assert {} == looked_at.get_many(["k"])
    assert [] == list(tmp_path.iterdir())
    with pytest.raises(ConfigError, match=r"none\.db"):
        store_maintenance.store_contents(tmp_path / "none.db")


def test_pruning_deletes_what_was_neither_stored_nor_used_for_so_long(tmp_path):
    """An old answer that was used lately stays; the room of the others is given back."""
    path = tmp_path / "answers.db"
    store = SqliteStore(path)
    store.put_many({f"old {number}": Reply(text="x" * 2000) for number in range(500)} | {"used": REPLY})
    store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE replies SET stored_at = 1.0, used_at = 1.0")
    connection.close()
    store = SqliteStore(path)
    store.put_many({"new": REPLY})
    store.get_many(["used"])
    store.close()
    before = store_maintenance.size_bytes(path)
    assert 500 == store_maintenance.prune_store(path, older_than_seconds=30 * 86_400.0)
    assert store_maintenance.size_bytes(path) < before / 2
    store = SqliteStore(path)
    assert {"new", "used"} == set(store.get_many(["new", "used", "old 1"]))
    store.close()


@pytest.mark.anyio
async def test_a_changed_demonstration_asks_again_only_what_shows_it():
    """Rows with demonstrations of their own: those that show another one keep their stored answers."""
    store = MemoryStore()
    task = Task("x", (Label("a"), Label("b")))
    demos = {name: Demonstration(f"text {name}", "a", "user") for name in ("p", "q")}

    async def asked(changed):
        model = ScriptedModel(lambda _: '{"label": "a", "confidence": 1}')
        annotator = Annotator(model, store, Ledger(FREE, None), ignore)
        shown = demos | changed
        requests = [LabelRequest(n, f"row {n}", (shown["p" if n < 3 else "q"],)) for n in range(10)]
        await annotator.annotate(requests, task=task, round_number=1)
        return sorted(text_of(prompt.specific) for prompt in model.prompts)

    assert 10 == len(await asked({}))
    assert [] == await asked({})
    assert ["row 0", "row 1", "row 2"] == await asked({"p": Demonstration("another text", "a", "user")})


def test_a_reply_that_is_set_aside_is_kept_and_not_given_out(tmp_path):
    """Its question is open again; what came first still lies in the file beside what comes then."""
    path = tmp_path / "answers.sqlite"
    with contextlib.closing(SqliteStore(path)) as store:
        store.put_many({"k": REPLY, "other": REPLY})
        store.set_aside(["k", "unknown"])
        assert {"other": REPLY} == store.get_many(["k", "other"])
        store.put_many({"k": Reply("better")})
        assert Reply("better") == store.get_many(["k"])["k"]
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert 3 == connection.execute("SELECT COUNT(*) FROM replies").fetchone()[0]


def test_replies_of_before_there_were_outcomes_are_read(tmp_path):
    """What ended them then says what they are now."""
    path = tmp_path / "answers.sqlite"
    with contextlib.closing(SqliteStore(path)) as store:
        store.put_many({"k": REPLY})
    old = {"text": "x", "scores": None, "stop_reason": "refusal", "truncated": False, "usage": {}}
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE replies SET reply = ?", [json.dumps(old)])
        connection.commit()
    with contextlib.closing(SqliteStore(path)) as store:
        assert "refused" == store.get_many(["k"])["k"].outcome


CALL = OpenCall(0.25)
BATCH = OpenCall(2.0, in_batch=True)


def test_a_call_under_way_may_have_been_billed_until_it_is_struck_out(store):
    """Written down before it goes it counts as unconfirmed, and no more once its reply and bill are kept."""
    store.put_many({}, opened=[CALL, OpenCall(0.5)])
    assert Bill(unconfirmed_usd=0.75) == store.billed()
    store.put_many({"k": REPLY}, bill=Bill(0.1, Usage(1)), closed=[CALL.id])
    assert Bill(0.1, Usage(1), 0.5) == store.billed()


def test_the_next_run_gives_up_the_calls_of_one_that_was_killed_but_not_its_batches(store):
    """Whose replies nobody will see any more; a batch is found again, read and struck out then."""
    store.put_many({}, opened=[CALL, BATCH])
    assert (Bill(unconfirmed_usd=0.25), {BATCH.id: 2.0}) == (store.begin(), store.open_batches())
    assert Bill(unconfirmed_usd=2.25) == store.billed()
    store.put_many({}, bill=Bill(0.75), closed=[BATCH.id])
    assert Bill(0.75, unconfirmed_usd=0.25) == store.billed() == store.begin()


def test_a_batch_that_is_gone_stays_with_the_job_it_was_of(tmp_path):
    """Given up by another job that finds it gone: the most it can have cost is the first one's."""
    first, second = (SqliteStore(tmp_path / "answers.db", job=job) for job in ("first", "second"))
    first.put_many({}, opened=[BATCH])
    second.put_many({}, given_up=[BATCH.id])
    assert (Bill(unconfirmed_usd=2.0), {}, Bill()) == (first.billed(), first.open_batches(), second.billed())
    first.close()
    second.close()
    assert {"first": Bill(unconfirmed_usd=2.0)} == store_maintenance.bills_in_store(tmp_path / "answers.db")


def test_a_call_that_a_kill_cut_off_stays_in_the_books(tmp_path):
    """SIGKILL between the record and the reply: the record is on disk, and whoever looks counts it."""
    path = tmp_path / "answers.db"
    program = (
        "import os, pathlib, signal, sys\n"
        "from freeal.llm.store.answer_store import SqliteStore\n"
        "from freeal.llm.store.bill_records import OpenCall\n"
        "SqliteStore(pathlib.Path(sys.argv[1]), job='j').put_many({}, opened=[OpenCall(0.5)])\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert -9 == subprocess.run([sys.executable, "-c", program, path], check=False).returncode
    assert {"j": Bill(unconfirmed_usd=0.5)} == store_maintenance.bills_in_store(path)
    assert {} == store_maintenance.bills_in_store(tmp_path / "none.db")


def test_who_waits_for_the_file_goes_on_once_it_is_let_go(tmp_path):
    """A writer that another process holds up waits, and loses nothing."""
    path = tmp_path / "answers.db"
    store = SqliteStore(path)
    holder = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    waiting = threading.Thread(target=store.put_many, args=({"k": REPLY},))
    waiting.start()
    assert waiting.is_alive()
    holder.execute("COMMIT")
    waiting.join(30.0)
    assert {"k": REPLY} == store.get_many(["k"])
    holder.close()
    store.close()


def test_a_file_that_is_never_let_go_is_no_fault_of_the_job(tmp_path):
    """It says which file, for how long and what to look for, when it is written and when it is opened."""
    path = tmp_path / "answers.db"
    store = SqliteStore(path, busy_timeout_seconds=0.05)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        for act in (
            lambda: store.put_many({"k": REPLY}),
            lambda: SqliteStore(path, busy_timeout_seconds=0.05),
        ):
            with pytest.raises(StoreBusyError, match=r"answers\.db: another process .* 0\.05 seconds .*lsof"):
                act()
    store.put_many({"k": REPLY})
    assert {"k": REPLY} == store.get_many(["k"])
    store.close()


@pytest.mark.parametrize("is_old", [False, True])
def test_room_is_given_back_while_a_job_has_the_file_open(tmp_path, is_old):
    """In small steps, and of a file of an earlier version once as a whole; the job goes on writing."""
    path = tmp_path / "answers.db"
    if is_old:
        with contextlib.closing(sqlite3.connect(path)) as made:
            made.execute("PRAGMA auto_vacuum=NONE")
            made.execute("PRAGMA journal_mode=WAL")
            made.execute("CREATE TABLE early (x)")
            made.execute("DROP TABLE early")
    with contextlib.closing(SqliteStore(path)) as job:
        job.put_many({f"old {number}": Reply(text="x" * 2000) for number in range(2500)})
        before = store_maintenance.size_bytes(path)
        assert 2500 == store_maintenance.prune_store(path, older_than_seconds=-60.0)
        job.put_many({"new": REPLY})
        assert {"new"} == set(job.get_many(["new", "old 1"]))
    assert store_maintenance.size_bytes(path) < before / 4


def test_a_store_that_cannot_be_opened_for_want_of_descriptors_is_waited_for(tmp_path):
    """Nobody is told to move a sound file of paid answers away."""
    path = tmp_path / "answers.sqlite"
    SqliteStore(path, job="j").close()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.open(tmp_path, os.O_RDONLY)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        with pytest.raises(StoreBusyError, match="does not let the answer store be opened"):
            SqliteStore(path, job="j")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
