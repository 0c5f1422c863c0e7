"""Ids as people read and type them."""

from __future__ import annotations

from daemon.journal.job_ids import meant_id, shown_ids

FIRST, SECOND = "mails-20261129-213746-add988", "mails-20261129-213927-add988"


def test_an_id_is_shown_by_model_and_time():
    """Short, and different beside the others."""
    assert {FIRST: "mails-213746", SECOND: "mails-213927"} == shown_ids([FIRST, SECOND])


def test_ids_that_would_look_alike_stay_whole():
    """The same time on two days."""
    other = "mails-20261130-213746-0a0a0a"
    assert {FIRST: FIRST, other: other} == shown_ids([FIRST, other])


def test_what_is_shown_can_be_typed():
    """It means the newest that is shown so; a whole id means itself, and an unknown word stays what it is."""
    assert SECOND == meant_id("mails-213927", [SECOND, FIRST])
    assert FIRST == meant_id(FIRST, [SECOND, FIRST])
    assert "mial-1" == meant_id("mial-1", [SECOND, FIRST])
