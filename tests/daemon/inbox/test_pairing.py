"""Which files of the inbox belong together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.config import WatchSettings
from daemon.inbox.file_sightings import Observation, Sighting
from daemon.inbox.pairing import DEFAULT_SPEC, Pair, is_ignored, pair_files
from freeal.spec.model_name import plain_name

WATCH = WatchSettings(stability_seconds=2.0, pair_timeout_seconds=60.0)


def _seen(*names, since=0.0, size=10, kind="file"):
    return {name: Observation(Sighting(size, 1, number, kind), since) for number, name in enumerate(names)}


def _waits(pairing):
    return {entry.name: entry for entry in pairing.waiting}


def test_a_csv_and_its_spec_are_a_pair_once_both_stood_still():
    """Either may come first; the later one decides."""
    seen = _seen("a.csv") | _seen("a.yaml", since=5.0)
    assert () == pair_files(seen, WATCH, now=6.9).ready
    assert 7.0 == _waits(pair_files(seen, WATCH, now=6.9))["a.csv"].until
    assert (Pair("a.csv", "a.yaml"),) == pair_files(seen, WATCH, now=7.0).ready


@pytest.mark.parametrize(
    ("csv", "spec"),
    [("a.csv", "a.yml"), ("A.CSV", "A.yaml"), ("a.csv", "a.YAML"), ("a.CSV", "a.Yml"), ("a.b.csv", "a.b.yaml")],
)
def test_other_spellings_pair_too(csv, spec):
    """What a person would take for a pair is one."""
    assert (Pair(csv, spec),) == pair_files(_seen(csv, spec), WATCH, now=100.0).ready


def test_a_csv_alone_waits_and_time_does_not_help():
    """`--once` may end although it lies there, and says what is missing."""
    entry = _waits(pair_files(_seen("a.csv"), WATCH, now=1000.0))["a.csv"]
    assert (None, "no spec: drop a.yaml beside it") == (entry.until, entry.reason)


def test_a_spec_alone_waits_for_its_csv():
    """A spec that matches nothing is mentioned, not ignored."""
    reason = _waits(pair_files(_seen("a.yaml", "b.csv"), WATCH, now=9.0))["a.yaml"].reason
    assert "no data: drop a.csv beside it (again, if it was taken before this came)" == reason


def test_two_specs_for_one_csv_are_not_guessed_between():
    """The wrong one could spend money; neither spec is said to lack its data."""
    found = pair_files(_seen("a.csv", "a.yaml", "a.yml"), WATCH, now=100.0)
    assert ((), ["a.csv"]) == (found.ready, list(_waits(found)))
    assert "has several specs, a.yaml and a.yml: remove all but one" == _waits(found)["a.csv"].reason


def test_two_csvs_that_differ_by_ending_only_do_not_share_a_spec():
    """Each names the other; once one of them is gone, the rest is a pair."""
    found = pair_files(_seen("a.csv", "a.tsv", "a.yaml", "b.csv", "b.yaml"), WATCH, now=100.0)
    assert (Pair("b.csv", "b.yaml"),) == found.ready
    reasons = {name: entry.reason for name, entry in _waits(found).items()}
    hint = ": leave one of them, or give each a name and spec of its own"
    assert {"a.csv": f"shares a.yaml with a.tsv{hint}", "a.tsv": f"shares a.yaml with a.csv{hint}"} == reasons
    assert (Pair("a.tsv", "a.yaml"),) == pair_files(_seen("a.tsv", "a.yaml"), WATCH, now=100.0).ready


def test_without_a_spec_of_their_own_both_are_served_by_the_default():
    """They are two jobs of one model then, in order."""
    found = pair_files(_seen("a.csv", "a.tsv", DEFAULT_SPEC), WATCH, now=100.0)
    assert (Pair("a.csv", DEFAULT_SPEC), Pair("a.tsv", DEFAULT_SPEC)) == found.ready


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "A.CSV.GZ", "a.tsv", "a.jsonl", "a.parquet"])
def test_every_ending_that_holds_rows_pairs_by_the_name_before_it(name):
    """`a.csv.gz` belongs to `a.yaml`."""
    spec = f"{name[0]}.yaml"
    assert (Pair(name, spec),) == pair_files(_seen(name, spec), WATCH, now=100.0).ready


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("a.xls", "spreadsheet"),
        ("a.ODS", "spreadsheet"),
        ("a.zip", "archive"),
        ("a.tar.gz", "archive"),
        ("a.docx", "document"),
        ("a.txt", "document"),
        ("a.exe", "no table"),
        ("noending", "no table"),
    ],
)
def test_what_is_no_data_waits_with_what_to_do(name, what):
    """Nobody has to guess why nothing happens."""
    entry = _waits(pair_files(_seen(name), WATCH, now=100.0))[name]
    assert (True, None) == (what in entry.reason and ": " in entry.reason, entry.until)


def test_a_folder_waits_with_what_to_do():
    """Files in a moved-in folder are not looked for: two of one name could not be told apart."""
    entry = _waits(pair_files(_seen("june", kind="folder"), WATCH, now=100.0))["june"]
    assert "is a folder, which is not looked into: move its files up, beside it" == entry.reason


@pytest.mark.parametrize(
    ("name", "kind"),
    [("done", "folder"), ("failed", "folder"), ("samples", "folder"), ("README.md", "file"), ("shots.json", "file"),
     ("a.csv.waiting.txt", "file"), ("Thumbs.db", "file")],
)  # fmt: skip
def test_what_belongs_into_an_inbox_is_not_mentioned(name, kind):
    """Its own folders, a file of examples, our own notes."""
    assert () == pair_files(_seen(name, kind=kind), WATCH, now=100.0).waiting


def test_the_default_spec_serves_a_csv_that_waited_long_enough():
    """Its own spec may still arrive until then."""
    seen = _seen("a.csv", DEFAULT_SPEC)
    early, late = pair_files(seen, WATCH, now=59.0), pair_files(seen, WATCH, now=60.0)
    assert ((), 60.0) == (early.ready, _waits(early)["a.csv"].until)
    assert (Pair("a.csv", DEFAULT_SPEC),) == late.ready
    assert late.ready[0].uses_default


def test_the_own_spec_wins_over_the_default():
    """The default is for CSVs that have none."""
    seen = _seen("a.csv", "a.yaml", DEFAULT_SPEC)
    assert (Pair("a.csv", "a.yaml"),) == pair_files(seen, WATCH, now=100.0).ready


def test_the_default_spec_itself_is_no_waiting_file():
    """It lies there for good."""
    assert () == pair_files(_seen(DEFAULT_SPEC), WATCH, now=100.0).waiting


@pytest.mark.parametrize("empty", ["a.csv", "a.yaml"])
def test_an_empty_file_holds_its_pair_back(empty):
    """A zero-length file is one that is about to be written."""
    found = pair_files(_seen("a.csv", "a.yaml") | _seen(empty, size=0), WATCH, now=100.0)
    assert ((), None) == (found.ready, _waits(found)["a.csv"].until)


@pytest.mark.parametrize("kind", ["symbolic link", "named pipe", "folder"])
def test_what_is_no_file_is_refused(kind):
    """A link could point anywhere, a pipe would hold the daemon."""
    found = pair_files(_seen("a.yaml") | _seen("a.csv", kind=kind), WATCH, now=100.0)
    assert ((), f"is a {kind}, not a file: refused; put the file itself here") == (
        found.ready,
        _waits(found)["a.csv"].reason,
    )


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
    assert () == pair_files(_seen(name), WATCH, now=100.0).waiting


@given(st.sets(st.sampled_from(["a.csv", "a.yaml", "a.yml", "a.tsv", "b.csv", "b.yaml", "x.txt", DEFAULT_SPEC])))
def test_no_file_is_in_two_pairs_or_both_ready_and_waiting(names):
    """Every file has one fate."""
    found = pair_files(_seen(*sorted(names)), WATCH, now=1000.0)
    used = [pair_.csv for pair_ in found.ready] + [p.spec for p in found.ready if not p.uses_default]
    used += [entry.name for entry in found.waiting]
    assert len(used) == len(set(used))
    assert {name for name in names if name.endswith((".csv", ".tsv", ".txt"))} <= set(used)


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ("reviews.yaml.txt", "reviews.yaml"),
        ("reviews.yml.txt", "reviews.yaml"),
        ("reviews.csv.yaml", "reviews.yaml"),
        ("reviews.yaml.yaml", "reviews.yaml"),
        ("reviews (1).yaml", "reviews.yaml"),
        ("Reviews.yaml", "reviews.yaml"),
        ("reviews .yaml", "reviews.yaml"),
        ("reviews - Copy.yml", "reviews.yaml"),
        ("reviews.yalm", "reviews.yaml"),
        ("reviews.yaml.bak", "reviews.yaml"),
    ],
)
def test_a_spec_by_another_name_is_said_to_want_renaming(spec, wanted):
    """The CSV says what to call it, and the shared spec does not make another job of the CSV meanwhile."""
    waits = _waits(pair_files(_seen("reviews.csv", spec, DEFAULT_SPEC), WATCH, now=1000.0))
    assert f"no spec: if {spec} is it, rename that to {wanted}" == waits["reviews.csv"].reason
    assert "rename" in waits[spec].reason


@pytest.mark.parametrize(
    ("table", "wanted"),
    [("reviews.csv.txt", "reviews.csv"), ("reviews.cvs", "reviews.csv"), ("reviews.csv (1)", "reviews.csv")],
)
def test_a_table_by_another_name_is_said_to_want_renaming(table, wanted):
    """The spec beside it names the file, and the file its ending."""
    waits = _waits(pair_files(_seen("reviews.yaml", table), WATCH, now=1000.0))
    assert f"no data: if {table} holds it, rename that to {wanted}" == waits["reviews.yaml"].reason
    assert f"rename it to {wanted}" in waits[table].reason


def test_a_table_with_its_ending_twice_is_said_to_want_renaming():
    """`reviews.csv.csv` beside `reviews.yaml`: each names the other."""
    waits = _waits(pair_files(_seen("reviews.yaml", "reviews.csv.csv"), WATCH, now=1000.0))
    assert "no spec: if it is reviews.csv, rename it so; else drop reviews.csv.yaml beside it" == (
        waits["reviews.csv.csv"].reason
    )


def test_the_same_name_in_two_spellings_is_one_name():
    """macOS takes the accent off the letter (NFD), others leave it on (NFC): they pair, and make one model."""
    nfd, nfc = "pru\u0308fung.csv", "pr\u00fcfung.yaml"
    assert (Pair(nfd, nfc),) == pair_files(_seen(nfd, nfc), WATCH, now=100.0).ready
    assert plain_name(nfd) == plain_name("pr\u00fcfung.csv")
    assert plain_name("\uac00.csv") == plain_name("\u1100\u1161.csv")


def test_two_tables_that_could_mean_one_spec_are_not_guessed_between():
    """Neither is told to take the other's spec."""
    waits = _waits(pair_files(_seen("a 1.csv", "a-1.csv", "a_1.yaml"), WATCH, now=1000.0))
    assert "no data: drop a_1.csv beside it (again, if it was taken before this came)" == waits["a_1.yaml"].reason


def test_names_of_thousands_of_lonely_files_are_compared_at_once():
    """Looking through all the others for each of them would take minutes."""
    seen = _seen(*(f"table {number}.csv" for number in range(5_000)), *(f"Table-{n}.yaml" for n in range(5_000)))
    assert 10_000 == len(pair_files(seen, WATCH, now=1000.0).waiting)
