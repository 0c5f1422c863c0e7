"""Which files of the inbox belong together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.config import WatchSettings
from daemon.inbox.pairing import DEFAULT_SPEC, Pair, is_ignored, pair
from daemon.inbox.stability import Observation, Sighting

WATCH = WatchSettings(stability_seconds=2.0, pair_timeout_seconds=60.0)


def _seen(*names, since=0.0, size=10, kind="file"):
    return {name: Observation(Sighting(size, 1, number, kind), since) for number, name in enumerate(names)}


def _waits(pairing):
    return {entry.name: entry for entry in pairing.waiting}


def test_a_csv_and_its_spec_are_a_pair_once_both_stood_still():
    """Either may come first; the later one decides."""
    seen = _seen("a.csv") | _seen("a.yaml", since=5.0)
    assert () == pair(seen, WATCH, now=6.9).ready
    assert 7.0 == _waits(pair(seen, WATCH, now=6.9))["a.csv"].until
    assert (Pair("a.csv", "a.yaml"),) == pair(seen, WATCH, now=7.0).ready


@pytest.mark.parametrize(
    ("csv", "spec"),
    [("a.csv", "a.yml"), ("A.CSV", "A.yaml"), ("a.csv", "a.YAML"), ("a.CSV", "a.Yml"), ("a.b.csv", "a.b.yaml")],
)
def test_other_spellings_pair_too(csv, spec):
    """What a person would take for a pair is one."""
    assert (Pair(csv, spec),) == pair(_seen(csv, spec), WATCH, now=100.0).ready


def test_a_csv_alone_waits_and_time_does_not_help():
    """`--once` may end although it lies there, and says what is missing."""
    entry = _waits(pair(_seen("a.csv"), WATCH, now=1000.0))["a.csv"]
    assert (None, "no spec: drop a.yaml beside it") == (entry.until, entry.reason)


def test_a_spec_alone_waits_for_its_csv():
    """A spec that matches nothing is mentioned, not ignored."""
    assert "no data: drop a.csv beside it" == _waits(pair(_seen("a.yaml", "b.csv"), WATCH, now=9.0))["a.yaml"].reason


def test_the_default_spec_serves_a_csv_that_waited_long_enough():
    """Its own spec may still arrive until then."""
    seen = _seen("a.csv", DEFAULT_SPEC)
    early, late = pair(seen, WATCH, now=59.0), pair(seen, WATCH, now=60.0)
    assert ((), 60.0) == (early.ready, _waits(early)["a.csv"].until)
    assert (Pair("a.csv", DEFAULT_SPEC),) == late.ready
    assert late.ready[0].uses_default


def test_the_own_spec_wins_over_the_default():
    """The default is for CSVs that have none."""
    seen = _seen("a.csv", "a.yaml", DEFAULT_SPEC)
    assert (Pair("a.csv", "a.yaml"),) == pair(seen, WATCH, now=100.0).ready


def test_the_default_spec_itself_is_no_waiting_file():
    """It lies there for good."""
    assert () == pair(_seen(DEFAULT_SPEC), WATCH, now=100.0).waiting


@pytest.mark.parametrize("empty", ["a.csv", "a.yaml"])
def test_an_empty_file_holds_its_pair_back(empty):
    """A zero-length file is one that is about to be written."""
    found = pair(_seen("a.csv", "a.yaml") | _seen(empty, size=0), WATCH, now=100.0)
    assert ((), None) == (found.ready, _waits(found)["a.csv"].until)


@pytest.mark.parametrize("kind", ["symbolic link", "named pipe", "folder"])
def test_what_is_no_file_is_refused(kind):
    """A link could point anywhere, a pipe would hold the daemon."""
    found = pair(_seen("a.yaml") | _seen("a.csv", kind=kind), WATCH, now=100.0)
    assert ((), f"is a {kind}, not a file: refused") == (found.ready, _waits(found)["a.csv"].reason)


@pytest.mark.parametrize(
    "name",
    [
        ".a.csv",
        "~a.csv",
        "a.csv~",
        "a.tmp",
        "a.part",
        "a.csv.partial",
        "a.crdownload",
        "a.swp",
        ".~lock.a.csv#",
        "a.TMP",
    ],
)
def test_half_written_and_editors_files_are_ignored(name):
    """Browsers, editors and office programs leave these beside what they write."""
    assert is_ignored(name)
    assert () == pair(_seen(name), WATCH, now=100.0).waiting


@given(st.sets(st.sampled_from(["a.csv", "a.yaml", "a.yml", "b.csv", "b.yaml", "x.txt", DEFAULT_SPEC])))
def test_no_file_is_in_two_pairs_or_both_ready_and_waiting(names):
    """Every file has one fate."""
    found = pair(_seen(*sorted(names)), WATCH, now=1000.0)
    used = [pair_.csv for pair_ in found.ready] + [p.spec for p in found.ready if not p.uses_default]
    used += [entry.name for entry in found.waiting]
    assert len(used) == len(set(used))
    assert {name for name in names if name.endswith(".csv")} <= set(used)
