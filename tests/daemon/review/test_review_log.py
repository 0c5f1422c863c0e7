"""What people said, kept as it is said (daemon/review/review_log.py)."""

from __future__ import annotations

import itertools
import json

import pytest

from daemon.errors import RefusedFileError
from daemon.host.clock import Clock
from daemon.review.review_log import Person, ReviewLog

ANNA, BEN = Person("a1", "Anna"), Person("b2")


@pytest.fixture
def clock():
    """A second passes between two looks at it."""
    ticks = itertools.count(1_700_000_000)
    return Clock(wall=lambda: float(next(ticks)))


@pytest.fixture
def log(tmp_path, clock):
    """The log of a model."""
    return ReviewLog(tmp_path, clock)


def _holds(log, kind="queue"):
    return {key: one.said for key, one in log.said(kind).items()}


def _given(log, kind, *keys):
    return {key: log.said(kind)[key].at for key in keys}


def test_the_last_word_counts_and_kinds_are_apart(log):
    """Who said it, when and why stand with it."""
    log.log_said("queue", "k", ANNA, said="good", note="why", about={"row": 3})
    log.log_said("queue", "k", BEN, said="bad")
    log.log_said("sheet", "k", ANNA, said="?")
    log.log_said("queue", "l", ANNA, said=None)
    assert {"k": "bad", "l": None} == _holds(log)
    assert {"k": "?"} == _holds(log, "sheet")
    assert ("Anna", 1_700_000_002.0) == (log.said("sheet")["k"].person.name, log.said("sheet")["k"].at)


def test_undo_takes_back_ones_own_last_word_only(log):
    """What stood there before stands there again; what another said is not one's own to take back."""
    log.log_said("queue", "k", ANNA, said="good")
    log.log_said("queue", "k", ANNA, said="bad")
    log.log_said("queue", "l", BEN, said="good")
    assert ("k", {"k": "good", "l": "good"}) == (log.undo_last_said("queue", ANNA), _holds(log))
    assert ("k", {"l": "good"}) == (log.undo_last_said("queue", ANNA), _holds(log))
    assert log.undo_last_said("queue", ANNA) is None
    assert {"l": "good"} == _holds(log)


def test_what_was_handed_in_is_open_no_longer_and_may_be_taken_back(log):
    """With the file it went into; taken back, it does not outdo what was said since."""
    log.log_said("queue", "k", ANNA, said="good")
    log.log_said("queue", "l", ANNA, said="bad")
    log.hand_in("queue", ANNA, _given(log, "queue", "k"), file="1.csv")
    assert {"l": "bad"} == _holds(log)
    assert ([("1.csv", ["k"])], {"k"}) == (
        [(one.file, list(one.said)) for one in log.handed_in("queue")],
        log.handed_in_keys("queue"),
    )
    log.log_said("queue", "k", BEN, said="bad")
    log.take_back("queue", ANNA, file="1.csv")
    assert ({"l": "bad", "k": "bad"}, []) == (_holds(log), log.handed_in("queue"))


def test_what_is_said_while_a_file_is_made_is_not_handed_in_with_it(log, tmp_path, clock):
    """Nor is what was undone meanwhile: what it outdid holds again. Whoever reads the log anew finds the same."""
    for key in ("k", "l", "m"):
        log.log_said("queue", key, ANNA, said="first")
        log.log_said("queue", key, ANNA, said="second")
    given = _given(log, "queue", "k", "l", "m")
    log.log_said("queue", "k", BEN, said="third")
    log.undo_last_said("queue", ANNA)
    log.hand_in("queue", ANNA, given, file="1.csv")
    for one in (log, ReviewLog(tmp_path, clock)):
        assert {"k": "third", "m": "first"} == _holds(one)
        assert {"k": "second", "l": "second"} == {
            key: said.said for key, said in one.handed_in("queue")[0].said.items()
        }


def test_another_sheet_forgets_the_answers_to_the_last(log):
    """Of its kind alone."""
    log.log_said("sheet", "k", ANNA, said="good")
    log.log_said("queue", "k", ANNA, said="good")
    log.forget("sheet", ANNA)
    assert ({}, {"k": "good"}) == (_holds(log, "sheet"), _holds(log))


def test_a_sheet_drawn_after_a_withdrawal_keeps_what_is_open_alone(log):
    """Answers that a withdrawn figure counted are asked for again."""
    log.log_said("sheet", "k", ANNA, said="good")
    log.hand_in("sheet", ANNA, _given(log, "sheet", "k"), file="1.csv")
    log.log_said("sheet", "l", ANNA, said="good")
    log.forget_handed_in("sheet", ANNA)
    assert ({"l": "good"}, set()) == (_holds(log, "sheet"), log.handed_in_keys("sheet"))


def test_everything_is_on_the_disk(log, tmp_path, clock):
    """Another process reads the same; a second writer's line is seen by the first."""
    log.log_said("queue", "k", ANNA, said="gut: ü\n\ud800", note="n")
    other = ReviewLog(tmp_path, clock)
    assert {"k": "gut: ü\n?"} == _holds(other)
    other.log_said("queue", "l", BEN, said="bad")
    assert ["k", "l"] == list(_holds(log))


@pytest.mark.parametrize("cut", range(2, 60, 7))
def test_a_line_that_a_crash_cut_off_costs_that_line_alone(log, tmp_path, clock, cut):
    """The lines before it hold, and the next one does not grow onto it."""
    log.log_said("queue", "k", ANNA, said="good")
    log.log_said("queue", "l", ANNA, said="good")
    content = log.path.read_bytes()
    log.path.write_bytes(content[:-cut])
    again = ReviewLog(tmp_path, clock)
    assert ["k"] == list(_holds(again))
    again.log_said("queue", "m", BEN, said="bad")
    assert ["k", "m"] == list(_holds(ReviewLog(tmp_path, clock)))


def test_lines_of_others_are_left_alone(log):
    """What is no event of ours says nothing."""
    log.log_said("queue", "k", ANNA, said="good")
    with log.path.open("a") as stream:
        stream.write('[]\n{"kind": "queue"}\n"x"\n{"kind": "queue", "do": "dance"}\n\n')
    assert {"k": "good"} == _holds(log)


@pytest.mark.parametrize("name", ["review", "review/answers.jsonl"])
def test_no_link_is_followed(log, tmp_path, name):
    """Whoever may drop files into a model's folder could have us write elsewhere."""
    elsewhere = tmp_path / "elsewhere"
    if name == "review":
        elsewhere.mkdir()
    else:
        (tmp_path / "review").mkdir()
        elsewhere.write_text(json.dumps({"kind": "queue"}))
    (tmp_path / name).symlink_to(elsewhere)
    with pytest.raises(RefusedFileError):
        log.log_said("queue", "k", ANNA, said="good")
