"""Files that could not be taken."""

from __future__ import annotations

import dataclasses

from daemon.inbox.claim_retries import FIRST_SECONDS, LONGEST_SECONDS, Refusals
from daemon.inbox.file_sightings import Sighting

SEEN = Sighting(size=3, mtime_ns=1, inode=1)


def test_it_is_tried_again_with_growing_intervals():
    """Seconds at first, minutes in the end, for ever."""
    refusals, now, waits = Refusals(), 0.0, []
    for _ in range(9):
        refusal = refusals.note_refusal("a.csv", SEEN, "Permission denied", now=now)
        assert refusals.holds("a.csv", SEEN, now=refusal.again_at - 0.1)
        assert not refusals.holds("a.csv", SEEN, now=refusal.again_at)
        assert refusal.again_at == refusals.next_at
        waits.append(refusal.again_at - now)
        now = refusal.again_at
    assert ([5.0, 10.0, 20.0], 300.0) == (waits[:3], waits[-1])
    assert (FIRST_SECONDS, LONGEST_SECONDS) == (waits[0], max(waits))


def test_a_file_that_changed_is_tried_at_once():
    """What was wrong with the old one says nothing about the new one."""
    refusals = Refusals()
    refusals.note_refusal("a.csv", SEEN, "Permission denied", now=0.0)
    assert not refusals.holds("a.csv", dataclasses.replace(SEEN, inode=2), now=0.0)


def test_it_is_visible_with_its_reason_until_it_is_taken_or_gone():
    """It never sits there silently."""
    refusals = Refusals()
    refusals.note_refusal("b.csv", SEEN, "Permission denied", now=0.0)
    refusals.note_refusal("a.csv", SEEN, "No space left on device", now=0.0)
    first, second = refusals.waiting()
    assert ("a.csv", "b.csv", True) == (first.name, second.name, "No space left on device" in first.reason)
    refusals.forget("a.csv")
    refusals.keep({"c.csv"})
    assert ((), 0, None) == (refusals.waiting(), len(refusals), refusals.next_at)


def test_another_reason_is_news():
    """It is said again, and the intervals begin anew."""
    refusals = Refusals()
    tries = [refusals.note_refusal("a.csv", SEEN, reason, now=0.0).tries for reason in ("x", "x", "y", "y")]
    assert [1, 2, 1, 2] == tries
