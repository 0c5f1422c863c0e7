"""freeal/llm/cache.py."""

from __future__ import annotations

import dataclasses
import sqlite3
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeal.errors import ConfigError
from freeal.llm.cache import MemoryStore, SqliteStore, request_key
from freeal.types import Prompt, Reply, Usage

PROMPT = Prompt(system="s", shared="t", specific="u", labels=("a", "b"))
REPLY = Reply(text='{"label": "a"}', stop_reason="max_tokens", truncated=True, usage=Usage(1, 20, 5, 3, 2))
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
        "from freeal.llm.cache import SqliteStore\n"
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
        "from freeal.llm.cache import SqliteStore\n"
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
