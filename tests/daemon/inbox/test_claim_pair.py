"""Taking a pair out of the inbox."""

from __future__ import annotations

import errno
import json
import os

import pytest

from daemon.errors import ChangedFileError
from daemon.inbox.claim_pair import Intake, csv_digest, load_dropped_spec
from daemon.inbox.file_sightings import look_around, observe
from daemon.inbox.pairing import DEFAULT_SPEC, Pair
from daemon.jobs.job_key import job_key
from daemon.journal.job_record import State
from daemon.journal.journal import Journal
from daemon.journal.work_folder import Workplace
from daemon.processes.message_protocol import Failure
from freeal.errors import SpecError
from freeal.settings import LlmSettings, StudentSettings
from freeal.spec.model_name import plain_name

CSV = "text\nfine\nawful\n"
SPEC = "description: What the reviewer felt.\nlabels: [good, bad]\n"


def _names(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_a_claim_moves_both_files_and_writes_the_job_down(intake, settings, journal, drop):
    """After it, the files are in the work folder only, unchanged, and the journal knows the job."""
    job, error = intake.claim_pair(Pair("a.csv", "a.yaml"), drop(a_csv=CSV, a_yaml=SPEC))
    place = Workplace(settings, job.id)
    assert (None, [], ["a.csv", "a.yaml"]) == (error, _names(settings.inbox), _names(place.inputs))
    assert CSV == (place.inputs / "a.csv").read_text()
    assert [job] == journal.unfinished()
    assert ("a", "a-20251122-120000") == (job.name, job.id[:17])


def test_the_row_is_written_before_the_files_move(intake, settings, journal, drop, monkeypatch):
    """Killed between the two, the journal knows what was meant, and a restart finishes the claim."""
    seen = drop(a_csv=CSV, a_yaml=SPEC)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", _power_cut)
        with pytest.raises(KeyboardInterrupt):
            intake.claim_pair(Pair("a.csv", "a.yaml"), seen)
    [job] = journal.unfinished()
    everywhere = [*_names(settings.inbox), *_names(Workplace(settings, job.id).inputs)]
    assert ["a.csv", "a.yaml"] == sorted(everywhere)
    intake.settle_claim(job)
    intake.settle_claim(job)
    assert ([], ["a.csv", "a.yaml"]) == (_names(settings.inbox), _names(Workplace(settings, job.id).inputs))


def _power_cut(descriptor):
    raise KeyboardInterrupt


def test_a_file_that_changes_meanwhile_is_not_taken(intake, settings, journal, drop):
    """Somebody is still writing; nothing is moved and no job begun."""
    seen = drop(a_csv=CSV, a_yaml=SPEC)
    (settings.inbox / "a.csv").write_text(CSV + "more\n")
    with pytest.raises(ChangedFileError):
        intake.claim_pair(Pair("a.csv", "a.yaml"), seen)
    assert ([], ["a.csv", "a.yaml"]) == (journal.jobs(), _names(settings.inbox))


@pytest.mark.parametrize("name", ["a.csv", "a.yaml"])
@pytest.mark.parametrize("how", ["written to", "replaced"])
def test_a_file_that_changes_between_the_row_and_the_move_is_given_back(settings, hands, drop, name, how):
    """The last moment there is: what was digested is not what would be taken, so nothing is, and no job is left."""

    class Meddled(Journal):
        def add(self, job):
            super().add(job)
            path = settings.inbox / name
            if how == "replaced":
                (settings.inbox / ".new").write_text("replaced")
                (settings.inbox / ".new").rename(path)
            else:
                path.write_text("written to")

    with Meddled(settings.state, hands.clock) as journal:
        with pytest.raises(ChangedFileError):
            Intake(settings, journal, hands.clock).claim_pair(Pair("a.csv", "a.yaml"), drop(a_csv=CSV, a_yaml=SPEC))
        assert [] == journal.jobs()
    assert (["a.csv", "a.yaml"], how) == (_names(settings.inbox), (settings.inbox / name).read_text())
    assert [] == list(settings.work.iterdir())


def test_a_file_swapped_for_a_link_is_not_followed(intake, settings, drop, tmp_path):
    """Between looking and taking, the CSV became a link to something of ours."""
    seen = drop(a_csv=CSV, a_yaml=SPEC)
    (tmp_path / "secret.csv").write_text(CSV)
    (settings.inbox / "a.csv").unlink()
    (settings.inbox / "a.csv").symlink_to(tmp_path / "secret.csv")
    with pytest.raises(OSError, match=r"symbolic|Too many levels"):
        intake.claim_pair(Pair("a.csv", "a.yaml"), seen)


def test_files_that_cannot_be_moved_stay_in_the_inbox(intake, settings, journal, drop, monkeypatch):
    """A full or read-only disk leaves no half claim behind."""
    seen = drop(a_csv=CSV, a_yaml=SPEC)
    inode = seen["a.yaml"].sighting.inode
    _fail_moving(monkeypatch, inode)
    with pytest.raises(OSError, match="No space"):
        intake.claim_pair(Pair("a.csv", "a.yaml"), seen)
    assert ([], ["a.csv", "a.yaml"]) == (journal.jobs(), _names(settings.inbox))


def _fail_moving(monkeypatch, inode):
    rename = os.replace

    def full(source, target, **kwargs):
        if os.lstat(source).st_ino == inode:
            raise OSError(errno.ENOSPC, "No space left on device")
        rename(source, target, **kwargs)

    monkeypatch.setattr(os, "replace", full)


def test_the_shared_spec_stays_in_the_inbox(intake, settings, drop):
    """_default.yaml serves the next CSV too; the job keeps a copy."""
    seen = drop(a_csv=CSV, _default_yaml=SPEC)
    job, _ = intake.claim_pair(Pair("a.csv", DEFAULT_SPEC), seen)
    assert [DEFAULT_SPEC] == _names(settings.inbox)
    assert [DEFAULT_SPEC, "a.csv"] == _names(Workplace(settings, job.id).inputs)


def test_a_file_of_examples_goes_along_as_a_copy(intake, settings, drop):
    """The archived inputs say all that the job was told."""
    seen = drop(a_csv=CSV, a_yaml=SPEC + "examples: shots.json\n", shots_json='[["fine", "good"]]')
    job, error = intake.claim_pair(Pair("a.csv", "a.yaml"), seen)
    assert None is error
    assert ["a.csv", "a.yaml", "shots.json"] == _names(Workplace(settings, job.id).inputs)
    assert ["shots.json"] == _names(settings.inbox)
    assert "fine" in job.spec


def test_examples_behind_a_link_are_refused(settings, drop, tmp_path):
    """A spec cannot make the daemon read a file outside the inbox."""
    drop(a_yaml=SPEC + "examples: shots.json\n")
    (tmp_path / "secret.json").write_text('[["fine", "good"]]')
    (settings.inbox / "shots.json").symlink_to(tmp_path / "secret.json")
    with pytest.raises(SpecError, match="symbolic link, not a file"):
        load_dropped_spec(settings.inbox / "a.yaml", csv_name="a.csv")


def test_a_bad_spec_makes_a_job_that_fails_with_its_inputs(intake, endings, settings, journal, drop):
    """The pair lands in failed/ with what, where and what to do; the where is where the file lies now."""
    job, error = intake.claim_pair(Pair("a.csv", "a.yaml"), drop(a_csv=CSV, a_yaml=SPEC + "text_colums: [text]\n"))
    ended = endings.fail_job(job, Failure.of(error))
    folder = settings.inbox / "failed" / job.id
    assert (State.FAILED, ["ERROR.txt", "a.csv", "a.yaml", "error.json"]) == (ended.state, _names(folder))
    report = json.loads((folder / "error.json").read_text())
    assert {"file": str(folder / "a.yaml"), "line": 3, "key": "text_colums"} == report["where"]
    prose = (folder / "ERROR.txt").read_text()
    assert "did you mean 'text_columns'?" in prose
    assert f"{folder}/a.yaml, line 3, key 'text_colums'" in prose
    assert f"retry {job.id}" in prose


def test_two_claims_in_one_second_have_two_ids(intake, journal, settings, drop):
    """The same content dropped twice, with `force`, runs twice."""
    for _ in range(2):
        intake.claim_pair(Pair("a.csv", "a.yaml"), drop(a_csv=CSV, a_yaml=SPEC))
    assert 2 == len({job.id for job in journal.jobs()})


def test_the_key_depends_on_what_changes_the_result_and_on_nothing_else(settings, drop):
    """More calls at once, the same job; another student or language model, another job."""
    drop(a_yaml=SPEC)
    spec, _ = load_dropped_spec(settings.inbox / "a.yaml", csv_name="a.csv")
    key = _key("digest", spec, settings)
    faster = settings.model_copy(update={"llm": LlmSettings(concurrency=99, budget_usd=3.0)})
    other = settings.model_copy(update={"student": StudentSettings(seed=1)})
    asked_otherwise = settings.model_copy(update={"llm": LlmSettings(form="plain")})
    elsewhere = settings.model_copy(update={"student": StudentSettings(engine="ray", ray_from_texts=9, device="cpu")})
    assert key == _key("digest", spec, faster) == _key("digest", spec, elsewhere)
    others = [
        _key("digest", spec, other),
        _key("digest", spec, asked_otherwise),
        _key("other", spec, settings),
        _key("digest", spec, settings, provider="anthropic"),
    ]
    assert 5 == len({key, *others})


def _key(digest, spec, settings, *, provider="local", csv_name="a.csv"):
    return job_key(digest, spec, settings, provider=provider, csv_name=csv_name)


def test_a_name_taken_from_the_file_is_not_part_of_the_content(settings, drop):
    """The same bytes and spec under another file name are the same job; a `name` of their own makes them another."""
    drop(a_yaml=SPEC, b_yaml=SPEC, c_yaml=SPEC + "name: other\n")
    keys = {}
    for stem in "abc":
        spec, _ = load_dropped_spec(settings.inbox / f"{stem}.yaml", csv_name=f"{stem}.csv")
        keys[stem] = _key("digest", spec, settings, csv_name=f"{stem}.csv")
    assert keys["a"] == keys["b"]
    assert keys["a"] != keys["c"]


@pytest.mark.parametrize(
    ("csv", "name"),
    [
        ("a.csv", "a"),
        ("my reviews (2).csv", "my-reviews-2"),
        ("Réclamations Zürich.csv", "Reclamations-Zurich"),
        ("評価.csv", "unnamed-c85c42"),
        ("評価 2026.csv", "2026-ace940"),
        ("x" * 99, "x" * 64),
    ],
)
def test_a_csv_name_becomes_a_name_a_folder_may_have(csv, name):
    """Nothing a file is called can choose a path."""
    assert name == plain_name(csv)


def test_a_pipe_does_not_hold_the_daemon(tmp_path):
    """Opening a FIFO for reading would wait for a writer for ever."""
    os.mkfifo(tmp_path / "a.csv")
    with pytest.raises(OSError, match="not a plain file"):
        csv_digest(tmp_path / "a.csv")


def test_observations_of_the_claimed_are_gone_from_the_next_look(intake, settings, drop):
    """A claimed pair cannot be claimed again."""
    intake.claim_pair(Pair("a.csv", "a.yaml"), drop(a_csv=CSV, a_yaml=SPEC))
    assert {} == observe({}, look_around(settings.inbox), now=1.0)
