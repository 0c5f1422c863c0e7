"""Who has which row before them (daemon/review/row_takers.py)."""

from __future__ import annotations

import pytest

from daemon.review.review_log import Person
from daemon.review.row_takers import TAKEN_SECONDS, RowTakers

ANNA, BEN = Person("a1", "Anna"), Person("b2")
KEYS = ["1", "2", "3"]


class _Time:
    now = 0.0


@pytest.fixture
def time():
    """Moved by hand."""
    return _Time()


@pytest.fixture
def takers(time):
    """Nobody has anything."""
    return RowTakers(steady=lambda: time.now, wall=lambda: 1000.0 + time.now)


def test_two_people_get_two_rows(takers):
    """And each keeps their own when the page is loaded again."""
    takers.take_row("m", "queue", "1", ANNA)
    assert ("1", "2") == (takers.next_free("m", "queue", KEYS, ANNA), takers.next_free("m", "queue", KEYS, BEN))
    takers.take_row("m", "queue", "2", BEN)
    assert "2" == takers.next_free("m", "queue", KEYS, BEN)
    assert ("Anna", 1000.0) == (
        takers.other_taker("m", "queue", "1", BEN).person.name,
        takers.other_taker("m", "queue", "1", BEN).since,
    )


def test_a_row_is_anybodys_after_a_while(takers, time):
    """Whoever closed the page does not hold up the others; a look again holds it."""
    takers.take_row("m", "queue", "1", ANNA)
    time.now = TAKEN_SECONDS - 1
    takers.take_row("m", "queue", "1", ANNA)
    time.now = TAKEN_SECONDS + 1
    assert "2" == takers.next_free("m", "queue", KEYS, BEN)
    assert 1000.0 == takers.other_taker("m", "queue", "1", BEN).since
    time.now = 2 * TAKEN_SECONDS + 1
    assert "1" == takers.next_free("m", "queue", KEYS, BEN)


def test_one_has_one_row_of_a_kind(takers):
    """The next row frees the last; other models and kinds are apart."""
    takers.take_row("m", "queue", "1", ANNA)
    takers.take_row("m", "sheet", "1", ANNA)
    takers.take_row("m", "queue", "2", ANNA)
    assert takers.other_taker("m", "queue", "1", BEN) is None
    assert takers.other_taker("m", "sheet", "1", BEN) is not None
    assert takers.other_taker("n", "queue", "2", BEN) is None


def test_when_others_have_all_there_is_none(takers):
    """Then the page says so."""
    takers.take_row("m", "queue", "1", ANNA)
    assert takers.next_free("m", "queue", ["1"], BEN) is None
