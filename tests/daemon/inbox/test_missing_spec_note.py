"""The note beside a CSV whose spec never came."""

from __future__ import annotations

import gzip
import os

import pytest
import yaml

from daemon.config import WatchSettings
from daemon.inbox.inbox_scan import Scanner
from daemon.inbox.missing_spec_note import MARK, SAMPLE_BYTES, Notes, note_text
from freeal.spec.job_spec import Spec
from freeal.table.column_roles import guess_column_roles

CSV = "id,title,body,sentiment\n1,x,y,good\n"


@pytest.fixture
def look(settings):
    """One look at the inbox and the notes it leads to; the names that lie there then."""
    settings = settings.model_copy(update={"watch": WatchSettings(pair_timeout_seconds=60.0)})
    scanner, notes = Scanner(settings), Notes(settings)

    def at(now):
        notes.update_notes(scanner.scan(now), now)
        return sorted(path.name for path in settings.inbox.iterdir())

    return at


def _spec_in(note):
    return yaml.safe_load(note.partition("-" * 72)[2])


def test_after_the_timeout_a_note_says_what_is_missing_and_shows_a_spec(settings, look):
    """With the CSV's own columns; what it shows is a spec as it stands."""
    (settings.inbox / "reviews.csv").write_text(CSV)
    assert (["reviews.csv"], ["reviews.csv"]) == (look(0.0), look(59.9))
    assert ["reviews.csv", "reviews.csv.waiting.txt"] == look(60.0)
    note = (settings.inbox / "reviews.csv.waiting.txt").read_text()
    assert "Save the lines below the rule as reviews.yaml" in note
    assert '# label_column: "sentiment"' in note
    spec = Spec(**_spec_in(note), name="reviews")
    assert (("title", "body"), "id") == (tuple(spec.text_columns), spec.id_column)


@pytest.mark.parametrize("end", ["its spec comes", "it goes away", "a default spec comes"])
def test_the_note_goes_away_when_it_is_no_longer_true(settings, look, end):
    """Nobody has to clean up after us."""
    (settings.inbox / "a.csv").write_text(CSV)
    look(0.0)
    assert "a.csv.waiting.txt" in look(60.0)
    if end == "it goes away":
        (settings.inbox / "a.csv").unlink()
    else:
        name = "a.yaml" if end == "its spec comes" else "_default.yaml"
        (settings.inbox / name).write_text("description: x\nlabels: [a, b]\n")
    assert "a.csv.waiting.txt" not in look(61.0)


def test_a_note_somebody_deleted_does_not_come_back(settings, look):
    """Until the CSV is another."""
    (settings.inbox / "a.csv").write_text(CSV)
    look(0.0)
    look(60.0)
    (settings.inbox / "a.csv.waiting.txt").unlink()
    assert ["a.csv"] == look(120.0)
    (settings.inbox / "a.csv").write_text(CSV + "2,x,y,bad\n")
    assert (["a.csv"], ["a.csv", "a.csv.waiting.txt"]) == (look(121.0), look(181.0))


@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_file_of_somebody_else_is_neither_overwritten_nor_removed(settings, look, tmp_path, kind):
    """Only what begins as our notes do is ours; a link is never followed."""
    note = settings.inbox / "a.csv.waiting.txt"
    if kind == "file":
        note.write_text("my own thoughts")
    else:
        (tmp_path / "precious").write_text(MARK)
        note.symlink_to(tmp_path / "precious")
    look(0.0)
    (settings.inbox / "a.csv").write_text(CSV)
    look(1.0)
    assert ["a.csv", "a.csv.waiting.txt"] == look(100.0)
    assert "columns" not in note.read_text()


def test_a_restart_finds_its_notes_again(settings, look):
    """A new process removes those of the one before."""
    (settings.inbox / "a.csv.waiting.txt").write_text(note_text("a.csv", guess_column_roles(["x"])))
    assert [] == look(0.0)


@pytest.mark.parametrize("content", ["", 'text\n"never closed', "\xff\xfe\x00broken", "\n\n"])
def test_a_csv_that_cannot_be_read_gets_a_note_without_columns(settings, look, content):
    """What the job will say later is not said here; an empty one is still being written and gets none."""
    (settings.inbox / "a.csv").write_bytes(content.encode("latin-1"))
    look(0.0)
    names = look(60.0)
    if not content:
        assert ["a.csv"] == names
        return
    assert {"first", "second"} == set(_spec_in((settings.inbox / "a.csv.waiting.txt").read_text())["labels"])


def test_only_the_start_of_a_large_file_is_read(settings, look):
    """A header is found in it; a first line without an end is not read to its end."""
    (settings.inbox / "a.csv").write_text(CSV + "1,x,y,good\n" * SAMPLE_BYTES)
    (settings.inbox / "b.csv").write_bytes(b"x" * 10 * SAMPLE_BYTES)
    look(0.0)
    look(60.0)
    assert "title" in (settings.inbox / "a.csv.waiting.txt").read_text()
    assert (settings.inbox / "b.csv.waiting.txt").stat().st_size < 2 * SAMPLE_BYTES


def test_the_columns_of_a_packed_csv_are_read_too(settings, look):
    """`a.csv.gz` waits for `a.yaml`."""
    (settings.inbox / "a.csv.gz").write_bytes(gzip.compress(CSV.encode()))
    look(0.0)
    look(60.0)
    note = (settings.inbox / "a.csv.gz.waiting.txt").read_text()
    assert (True, ["title", "body"]) == ("as a.yaml" in note, _spec_in(note)["text_columns"])


def test_columns_may_be_called_anything():
    """Quotes, colons, line breaks, other scripts: the spec shown is still YAML."""
    columns = ['a "b": c', "x\ny", "geprüfte Mails", "a\x85b\u2028c", "id", "- z", ""]
    assert [column for column in columns if column != "id"] == _spec_in(
        note_text("a.csv", guess_column_roles(columns))
    )["text_columns"]


def test_a_name_too_long_for_a_note_is_no_error(settings, look):
    """255 bytes are the most a file system takes."""
    name = "x" * 240 + ".csv"
    (settings.inbox / name).write_text(CSV)
    look(0.0)
    assert [name] == look(60.0)


def test_an_inbox_we_may_not_write_to_gets_no_note(settings, look):
    """And that stops nothing."""
    (settings.inbox / "a.csv").write_text(CSV)
    settings.inbox.chmod(0o555)
    if os.access(settings.inbox, os.W_OK):
        pytest.skip("root may write everywhere")
    try:
        look(0.0)
        assert ["a.csv"] == look(60.0)
    finally:
        settings.inbox.chmod(0o755)
