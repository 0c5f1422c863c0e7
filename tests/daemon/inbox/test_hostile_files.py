"""What a hostile person may drop: nothing of it is opened, followed, executed or shown as it is; all of it is told."""

from __future__ import annotations

import io
import json
import os
import stat

import pytest
from rich.console import Console

from daemon.config import LogSettings
from daemon.errors import ChangedFileError
from daemon.host import logging_setup
from daemon.host.clock import Clock
from daemon.inbox.claim_file import take_file
from daemon.inbox.claim_pair import Intake
from daemon.inbox.file_sightings import look, look_around, observe
from daemon.inbox.inbox_scan import Drop, Scanner
from daemon.inbox.pairing import Pair
from daemon.inbox.unsafe_names import MOST_BYTES
from daemon.journal.job_record import State
from daemon.outbox import move_to_done_or_failed
from daemon.outbox.model_shelf import Shelf, shelves, twin_of
from daemon.outbox.publish_prediction import publish_prediction
from daemon.predictions.predict_lane import PredictLane
from daemon.processes.message_protocol import Failure
from daemon.status import status_snapshot, status_table
from freeal.files import atomic_write

SECRET = "text\nthe secret of somebody else\n"
SPEC = "description: What the reviewer felt.\nlabels: [good, bad]\n"

STRANGE_NAMES = {
    "a new line": "a\nb",
    "escape codes": "a\x1b[2J\x1b]0;title\x07",
    "text turned around": "a\u202etxt",
    "a line break not seen as one": "a\u2028b",
    "bytes that are no UTF-8": os.fsdecode(b"a\xff\xfe"),
    "254 bytes": "a" * 250,
}
ODD_NAMES = [
    "-rf",
    "$(touch x)",
    "`touch y`",
    "a; touch x",
    "🦄🦄",
    "a b",
    "a'b\"c",
    "%s{0}",
    "[bold]a",
    "c\\d",
    "a.b.c",
]
"""Unusual, and workable."""


def _things(folder, secret):
    """One of each thing that is no plain file, by name."""
    (folder / "link.csv").symlink_to(secret)
    (folder / "nowhere.csv").symlink_to("/nowhere")
    os.mkfifo(folder / "pipe.csv")
    (folder / "folder.csv").mkdir()
    os.mknod(folder / "socket.csv", stat.S_IFSOCK | 0o600)
    kinds = {"link.csv": "symbolic link", "nowhere.csv": "symbolic link", "pipe.csv": "named pipe"}
    kinds |= {"folder.csv": "folder", "socket.csv": "socket"}
    if os.geteuid() == 0:
        os.mknod(folder / "device.csv", 0o20666, os.makedev(1, 5))  # /dev/zero
        kinds["device.csv"] = "device"
    return kinds


def _status(settings):
    """What `status` prints, as lines, and what it gives to programs."""
    found = status_snapshot.collect_status(settings, Clock())
    written = io.StringIO()
    status_table.show_status(found, Console(file=written, width=500))
    return written.getvalue().splitlines(), json.dumps(found.content, ensure_ascii=False).encode()


def test_what_is_no_plain_file_is_refused_by_name_wherever_it_is_dropped(world, tmp_path):
    """Each is left where it is, with the reason in `status`; the good pair beside them is done, and nothing blocks."""
    (tmp_path / "secret.csv").write_text(SECRET)
    world.drop("good")
    world.run()
    kinds = _things(world.settings.inbox, tmp_path / "secret.csv")
    for name in kinds:
        (world.settings.inbox / name).with_suffix(".yaml").write_text(SPEC)
    predict = world.settings.models / "good" / "predict"
    _things(predict, tmp_path / "secret.csv")
    world.drop("other")
    world.drop_to_predict(model="good")
    world.run()
    lines, _ = _status(world.settings)
    for name, kind in kinds.items():
        for place in (name, f"good/predict/{name}"):
            assert [] != [line for line in lines if line.startswith(f"waits: {place}: is a {kind}")], lines
    assert {State.DONE} == {job.state for job in world.jobs()}
    assert [] != list((world.settings.models / "good" / "predictions").glob("new.csv"))
    written = [path for path in world.root.rglob("*") if path.is_file() and not path.is_symlink()]
    assert [] == [path for path in written if b"secret of somebody" in path.read_bytes()]


def test_a_spec_that_is_no_plain_file_is_not_read(world, tmp_path):
    """A link or a pipe beside a good CSV: the CSV waits."""
    (tmp_path / "spec.yaml").write_text(SPEC)
    for stem in ("link", "pipe"):
        (world.settings.inbox / f"{stem}.csv").write_text(SECRET)
    (world.settings.inbox / "link.yaml").symlink_to(tmp_path / "spec.yaml")
    os.mkfifo(world.settings.inbox / "pipe.yaml")
    assert 0 == world.run()
    assert [] == world.jobs()


@pytest.mark.parametrize("which", ["a.csv", "a.yaml", "shots.json"])
@pytest.mark.parametrize("instead", ["link", "pipe"])
def test_what_is_swapped_in_after_the_look_is_neither_followed_nor_waited_for(settings, journal, hands, which, instead):
    """The claim is called off, and no byte of the other file is read."""
    inbox = settings.inbox
    (inbox / "a.csv").write_text("text\nfine\n")
    (inbox / "a.yaml").write_text(SPEC + "examples: shots.json\n")
    (inbox / "shots.json").write_text("[]")
    seen = observe({}, look_around(inbox), now=0.0)
    (inbox / which).rename(inbox.parent / "kept")
    if instead == "link":
        (inbox / which).symlink_to(inbox.parent / "kept")
    else:
        os.mkfifo(inbox / which)
    try:
        _, error = Intake(settings, journal, hands.clock).claim_pair(Pair("a.csv", "a.yaml"), seen)
    except (OSError, ChangedFileError) as refused:
        error = refused
    assert error is not None
    assert any(word in str(error) for word in ("symbolic link", "named pipe", "plain file", "changed"))


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/etc/hostname")])
def test_a_file_of_predict_swapped_before_it_is_moved_stays(settings, journal, hands, tmp_path, make):
    """It is put back and not labelled."""
    predict = settings.models / "m" / "predict"
    predict.mkdir(parents=True)
    (predict / "a.csv").write_text(SECRET)
    sighting = look(predict / "a.csv")
    (predict / "a.csv").unlink()
    make(predict / "a.csv")
    with pytest.raises((OSError, ChangedFileError)):
        PredictLane(settings, journal, hands.clock).claim(Drop("m", "a.csv", sighting))
    with pytest.raises((OSError, ChangedFileError)):
        take_file(predict / "a.csv", tmp_path / "work" / "a.csv", sighting)
    assert os.path.lexists(predict / "a.csv")
    assert [] == journal.predictions()


def test_a_hard_link_is_a_file_like_any_other_and_its_other_name_keeps_its_content(world, tmp_path):
    """Moving takes one name away; nothing is written into the file."""
    (tmp_path / "original.csv").write_text(SECRET)
    os.link(tmp_path / "original.csv", world.settings.inbox / "a.csv")
    (world.settings.inbox / "a.yaml").write_text(SPEC)
    assert 0 == world.run()
    assert SECRET == (tmp_path / "original.csv").read_text()


@pytest.mark.parametrize("name", STRANGE_NAMES.values(), ids=list(STRANGE_NAMES))
def test_a_name_that_cannot_be_shown_waits_with_a_reason_that_can(world, name):
    """In the inbox and in predict, for eyes and for programs; the file stays where it is."""
    world.drop("good")
    world.run()
    world.drop(name)
    world.drop_to_predict(model="good", name=f"{name}.csv")
    assert 0 == world.run()
    assert 1 == len(world.jobs())
    assert f"{name}.csv" in world.names("inbox")
    lines, content = _status(world.settings)
    waiting = [line for line in lines if line.startswith("waits: ")]
    assert 3 == len([line for line in waiting if line.endswith(": rename it")]), waiting
    assert all(line.isprintable() for line in lines)
    assert b"rename it" in content


def test_an_odd_name_goes_all_the_way(world, tmp_path, monkeypatch):
    """From the inbox to done, from predict to done and to failed; a model's name is made of it; no shell sees it."""
    monkeypatch.chdir(tmp_path)
    stems = [*ODD_NAMES, "é" * ((MOST_BYTES - 5) // 2)]
    for number, stem in enumerate(stems):
        world.drop(stem, csv=f"text\nfine {number}\n")
    assert 0 == world.run()
    models = {job.csv_name.removesuffix(".csv"): job for job in world.jobs()}
    assert set(stems) == set(models)
    for stem, job in models.items():
        assert {f"{stem}.csv", f"{stem}.yaml"} == set(world.names("inbox", "done", job.id))
        assert [f"{stem}.csv"] == world.names("models", job.name, "annotated")
    for text, code in (("text\nfine\n", 0), ("text\nonce more\n", 0), ("bad\n", 1)):
        for stem, job in models.items():
            world.drop_to_predict(model=job.name, name=f"{stem}.csv", text=text)
        assert code == world.run()
    for job in models.values():
        assert 2 == len([name for name in world.names("models", job.name, "predictions") if name.endswith(".csv")])
        assert 1 == len(world.names("models", job.name, "failed"))
    assert [] == [path for name in "xy" for path in tmp_path.rglob(name)]
    lines, _ = _status(world.settings)
    assert all(line.isprintable() for line in lines)


def test_a_folder_among_the_models_whose_name_no_model_could_have_is_not_looked_at(settings):
    """Nothing is taken from it, so its name travels nowhere."""
    for name in ("ok", "..a", "a\nb", os.fsdecode(b"\xff"), "a" * 65, "$(x)", "-a"):
        (settings.models / name / "predict").mkdir(parents=True)
    assert ["ok"] == [shelf.name for shelf in shelves(settings.models)]


def test_a_model_whose_name_differs_only_by_case_is_refused(world):
    """Where such folders are one, each would overwrite the other."""
    world.drop("Reviews")
    assert 0 == world.run()
    world.drop("reviews", csv="text\nother\n")
    assert 1 == world.run()
    problem = world.jobs()[1].error["problem"]
    assert "differs from the model 'Reviews' only by case" in problem
    assert (None, "Reviews") == (twin_of(world.settings.models, "Reviews"), twin_of(world.settings.models, "REVIEWS"))


@pytest.mark.parametrize("way", ["model", "version", "versions", "up"])
def test_a_model_link_that_leads_elsewhere_is_no_model(settings, tmp_path, way):
    """Only a real folder versions/<job>/model of this model counts."""
    elsewhere = tmp_path / "elsewhere" / "job" / "model"
    elsewhere.mkdir(parents=True)
    folder = settings.models / "m"
    (folder / "predict").mkdir(parents=True)
    (folder / "predict" / "a.csv").write_text(SECRET)
    target = "versions/job/model"
    if way == "model":
        (folder / "versions" / "job").mkdir(parents=True)
        (folder / "versions" / "job" / "model").symlink_to(elsewhere)
    elif way == "version":
        (folder / "versions").mkdir()
        (folder / "versions" / "job").symlink_to(elsewhere.parent)
    elif way == "versions":
        (folder / "versions").symlink_to(elsewhere.parent.parent)
    else:
        (folder / "versions").mkdir()
        target = "versions/../model"
    (folder / "model").symlink_to(target)
    assert None is Shelf(settings.models, "m").current
    settings = settings.model_copy(
        update={"watch": settings.watch.model_copy(update={"stability_seconds": 0.0, "mode": "off"})}
    )
    found = Scanner(settings).scan(0.0)
    assert ((), True) == (found.drops, "no finished version" in found.waiting_drops[0].reason)


def test_a_pipe_in_the_place_of_a_report_or_of_facts_holds_nothing_up(settings, tmp_path):
    """The folders of results can be written to by the group, too."""
    os.mkfifo(tmp_path / move_to_done_or_failed.REPORT)
    assert None is move_to_done_or_failed.error_report_in(tmp_path)
    shelf = Shelf(settings.models, "m")
    (shelf.folder / "predictions").mkdir(parents=True)
    os.mkfifo(shelf.folder / "predictions" / "a.json")
    (tmp_path / "labelled.csv").write_text("text,freeal_label\n")
    publish_prediction(shelf, tmp_path / "labelled.csv", {"rows": 0}, stem="a", prediction_id="p")
    assert "p" == json.loads((shelf.folder / "predictions" / "a.json").read_text())["prediction"]


def test_a_report_never_holds_what_a_terminal_would_obey(tmp_path):
    """ERROR.txt shows escapes; error.json keeps what was said."""
    (tmp_path / "in").mkdir()
    failure = Failure("InputError", "no column '\x1b[2J\u202e'", {"column": "\x1b[2J"})
    move_to_done_or_failed.move_to_failed(tmp_path / "in", tmp_path / "out", failure, subject="j", then="t", now=0.0)
    prose = (tmp_path / "out" / move_to_done_or_failed.PROSE).read_text()
    assert all(line.isprintable() for line in prose.splitlines())
    assert r"no column '\x1b[2J\u202e'" in prose
    assert failure.problem == json.loads((tmp_path / "out" / move_to_done_or_failed.REPORT).read_text())["problem"]


@pytest.mark.parametrize("form", ["json", "console"])
def test_log_lines_obey_nobody(form):
    """Neither form writes a raw escape code, and neither stumbles over bytes that are no text."""
    written = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace", write_through=True)
    logging_setup.configure_logging(LogSettings(format=form), written)
    import structlog

    structlog.get_logger("test").info("a file waits", file="a\x1b[2J" + os.fsdecode(b"\xff") + "\nb")
    text = written.buffer.getvalue().decode()
    assert (1, False) == (len(text.splitlines()), "\x1b[2J" in text)


def test_writing_is_never_through_a_link(tmp_path):
    """A link in the place of an output is replaced, and what it points to stays as it was."""
    (tmp_path / "secret").write_text(SECRET)
    (tmp_path / "out.json").symlink_to(tmp_path / "secret")
    atomic_write.write_json(tmp_path / "out.json", {"a": 1})
    assert (SECRET, False) == ((tmp_path / "secret").read_text(), (tmp_path / "out.json").is_symlink())
