"""What somebody met who attacked the service with one odd thing at a time: it goes on, and says what is wrong."""

from __future__ import annotations

import errno
import gzip
import json
import os
import shutil
import signal

import anyio
import pytest

from daemon import app
from daemon.config import Loaded
from daemon.errors import StateLostError
from daemon.host import instance_lock
from daemon.host.clock import Clock
from daemon.host.fault_guard import Guard
from daemon.inbox import claim_file, missing_spec_note
from daemon.inbox.file_sightings import Sighting
from daemon.inbox.inbox_scan import Drop
from daemon.inbox.pairing import Pair
from daemon.jobs.cancel_and_retry import write_request
from daemon.journal.job_record import State
from daemon.journal.prediction_record import Prediction
from daemon.journal.work_folder import Workplace
from daemon.service.claim_inputs import in_turns
from daemon.terminal.progress_log import LogView
from freeal.errors import OutputBusyError

CSV = "text\nfine\nawful\n"


@pytest.mark.parametrize(
    ("error", "kind", "passes"),
    [
        (ValueError("x"), "internal", False),
        (ExceptionGroup("g", [OSError(errno.ENOSPC, "full")]), "DiskError", True),
        (OSError(errno.EMFILE, "too many"), "ResourceError", True),
        (RuntimeError("can't start new thread"), "ResourceError", True),
        (MemoryError(), "ResourceError", True),
        (OutputBusyError("is being written by another process"), "OutputBusyError", True),
        (PermissionError(errno.EACCES, "denied"), "PermissionError", False),
    ],
)
def test_a_fault_is_told_as_one_reason_and_what_passes_is_told_apart(error, kind, passes):
    """Groups are looked into; the kind is what error.json says."""
    with Guard("a test") as guard:
        raise error
    assert (kind, passes) == (guard.fault.kind, guard.fault.passing is not None)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, StateLostError])
def test_what_ends_a_run_passes_the_guard(error):
    """A stop is no fault of the unit under way, nor is a state folder that is gone."""
    with pytest.raises(error), Guard("a test"):
        raise error("told to")


def test_a_cancelled_prediction_waits_where_its_folder_is_a_file_and_ends_once_that_is_mended(world):
    """`failed` is a plain file: exit 1 and not a crash; without it the cancel is carried out at the next start."""
    world.drop()
    world.run()
    _claimed(world, "p-1")
    with world.journal() as journal:
        write_request(journal, "p-1", "cancel")
    failed = world.settings.models / "a" / "failed"
    shutil.rmtree(failed)
    failed.write_text("in the way")
    assert 1 == world.run()
    assert not (world.root / "turns.txt").exists(), "it is not labelled meanwhile"
    failed.unlink()
    assert 0 == world.run()
    with world.journal() as journal:
        assert "cancelled" == journal.prediction("p-1").state


def test_a_published_job_waits_for_its_done_folder_and_is_not_failed(world):
    """A plain file `inbox/done`: the model is there, the job is paused with that reason, and done once it is mended."""
    (world.settings.inbox / "done").write_text("in the way")
    world.drop()
    assert 1 == world.run()
    [job] = world.jobs()
    assert State.PAUSED is job.state
    assert "the result is published, but its inputs cannot be put in done/" in job.reason
    assert (world.settings.models / "a" / "model" / "config.json").is_file()
    (world.settings.inbox / "done").unlink()
    assert 0 == world.run()
    assert ["a.csv", "a.yaml"] == world.names("inbox", "done", job.id)


@pytest.mark.parametrize("name", ["done", "failed"])
def test_a_link_in_place_of_an_archive_is_not_followed(world, name):
    """Whoever may only drop files cannot have the service write elsewhere."""
    elsewhere = world.root / "elsewhere"
    elsewhere.mkdir()
    (world.settings.inbox / name).symlink_to(elsewhere)
    world.drop(csv="text\ncrash\n" if name == "failed" else CSV)
    assert 1 == world.run()
    assert [] == list(elsewhere.iterdir())


@pytest.mark.parametrize("is_link", [True, False])
def test_a_result_waits_where_predictions_is_no_folder(world, is_link):
    """A link there is not followed and a plain file not replaced; the rows lie ready, and are published once that is
    mended."""
    world.drop()
    world.run()
    elsewhere, predictions = world.root / "elsewhere", world.settings.models / "a" / "predictions"
    elsewhere.mkdir()
    shutil.rmtree(predictions)
    predictions.symlink_to(elsewhere) if is_link else predictions.write_text("in the way")
    world.drop_to_predict(CSV, name="x.csv")
    assert 1 == world.run()
    assert [] == list(elsewhere.iterdir())
    with world.journal() as journal:
        assert ["claimed"] == [one.state for one in journal.predictions()]
    predictions.unlink()
    assert 0 == world.run()
    assert (predictions / "x.csv").is_file()


def test_no_process_can_be_started_is_waited_for(world, monkeypatch):
    """The interpreter is gone for a while: job and prediction wait, neither has failed, both are done once it is
    back."""
    world.drop()
    world.run()
    world.drop("b", csv=f"{CSV}other\n")
    world.drop_to_predict(CSV, name="x.csv")
    with monkeypatch.context() as patch:
        patch.setattr("sys.executable", str(world.root / "no-python"))
        assert 1 == world.run()
    job = world.jobs()[-1]
    assert (State.PAUSED, True) == (job.state, job.reason.startswith("no process can be started"))
    with world.journal() as journal:
        assert ["claimed"] == [one.state for one in journal.predictions()]
    assert 0 == world.run()
    with world.journal() as journal:
        assert ["done"] == [one.state for one in journal.predictions()]


def test_a_stored_spec_of_a_newer_version_is_read_anew(world):
    """Its key is unknown here; the file the job was claimed with says what is meant."""
    world.drop()
    world.run()
    with world.journal() as journal:
        [job] = journal.jobs()
        with journal.transaction() as connection:
            connection.execute("UPDATE jobs SET state = 'claimed', origin = '[]', spec = ?", ('{"later": 1}',))
    place = Workplace(world.settings, job.id)
    shutil.copytree(place.done, place.inputs)
    shutil.rmtree(place.done)
    assert 0 == world.run()
    assert State.DONE is world.jobs()[0].state


def test_retry_finds_its_way_past_a_folder_in_failed(world):
    """What else somebody put beside the inputs stays there."""
    world.drop(csv="text\ncrash\n")
    world.run()
    [job] = world.jobs()
    failed = world.settings.inbox / "failed" / job.id
    (failed / "notes").mkdir()
    (failed / "a.csv").write_text(CSV)
    with world.journal() as journal:
        write_request(journal, job.id, "retry")
    assert 0 == world.run()
    assert (State.DONE, ["notes"]) == (world.jobs()[0].state, world.names("inbox", "failed", job.id))


def test_a_file_that_goes_away_while_it_is_taken_is_no_fault(world):
    """The pair's other half stays where it lies, and nothing is written down."""
    world.drop()
    world.drop("gone")
    with world.journal() as journal:
        service = app.build_service(
            Loaded(world.settings, world.root, {}), once=True, journal=journal, time=Clock(), view=LogView()
        )
        scan = service._scanner.scan(0.0)
        (world.settings.inbox / "gone.csv").unlink()
        assert anyio.run(_take, service, scan)
        assert ["a"] == [job.name for job in journal.jobs()]
    assert ["gone.yaml"] == [name for name in world.names("inbox") if name.startswith("gone")]


async def _take(service, scan):
    return await service._claims.claim_ready(scan, goes_on=lambda: True)


def test_pairs_and_csvs_are_taken_in_turns():
    """Three thousand of one kind do not keep the first of the other waiting."""
    seen = Sighting(1, 1, 1)
    drops, pairs = [Drop("m", f"{n}.csv", seen) for n in range(3)], [Pair("a.csv", "a.yaml")]
    assert [drops[0], pairs[0], drops[1], drops[2]] == in_turns(drops, pairs)


def test_a_lock_whose_folder_was_replaced_is_lost(tmp_path):
    """A second daemon would find the new folder's lock free."""
    state = tmp_path / "state"
    state.mkdir()
    with instance_lock.hold_instance_lock(state) as lock:
        lock.check_lock()
        state.rename(tmp_path / "away")
        with pytest.raises(StateLostError, match="removed or replaced"):
            lock.check_lock()
        state.mkdir()
        (state / instance_lock.LOCK_NAME).touch()
        with pytest.raises(StateLostError):
            lock.check_lock()


def test_a_csv_that_a_kill_left_on_both_sides_of_a_move_is_labelled_once(world):
    """Same size, time and content beside the claimed copy: the one in the predict folder goes."""
    world.drop()
    world.run()
    _claimed(world, "p-1", name="x.csv")
    world.drop_to_predict(CSV, name="x.csv")
    taken = Workplace(world.settings, "p-1").inputs / "x.csv"
    shutil.copystat(taken, world.settings.models / "a" / "predict" / "x.csv")
    assert 0 == world.run()
    with world.journal() as journal:
        assert ["p-1"] == [one.id for one in journal.predictions()]
    assert not claim_file.is_copy_of_taken(taken, of=taken)


def test_rows_that_came_after_a_file_was_taken_are_told(world):
    """A writer that paused longer than the window: the prediction is made of what there was, and says so."""
    world.drop()
    world.run()
    _claimed(world, "p-1", name="x.csv")
    work = Workplace(world.settings, "p-1").folder
    (work / "taken.json").write_text(json.dumps({"size": 3, "mtime_ns": 1}))
    assert 0 == world.run()
    facts = json.loads((world.settings.models / "a" / "predictions" / "x.json").read_text())
    assert "was written to after it had been taken" in facts["input_changed"]


def test_what_came_late_is_told_of_a_job_too(world):
    """A writer that went on after the pair had stood still: the rows that were there are labelled, the reason says that
    there were more."""
    world.drop(csv="text\nturns\n")

    async def write_on():
        while not (found := list(world.settings.work.glob("*/rounds/runs"))):  # noqa: ASYNC110 - a process's doing
            await anyio.sleep(0.01)
        with (found[0].parents[1] / "input" / "a.csv").open("a") as stream:
            stream.write("one more\n")

    assert 0 == world.run(beside=write_on)
    [job] = world.jobs()
    assert State.DONE is job.state
    assert "a.csv was written to after it had been taken" in job.reason


def test_a_service_gathers_no_outcomes_over_the_years(world):
    """A run with `once` tells them at its end; what runs for ever forgets a job that ended, and why a file that is
    gone could not be taken."""
    world.drop()

    async def until_done():
        while not world.jobs() or world.jobs()[0].state is not State.DONE:  # noqa: ASYNC110 - as above
            await anyio.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)

    world.run(once=False, beside=until_done)
    assert {} == world.service.outcomes
    refusals = world.service._claims.refusals
    refusals.note_refusal("gone.csv", Sighting(1, 1, 1), "cannot be moved", now=0.0)
    refusals.keep({"there.csv"})
    assert 0 == len(refusals)


def test_a_packed_file_costs_its_note_no_more_than_a_plain_one(tmp_path):
    """60 KB that unpack to 60 MB: only the first of it is looked at."""
    packed = tmp_path / "big.jsonl.gz"
    packed.write_bytes(gzip.compress(b'{"text": "fine", "id": 1}\n' * 2_000_000))
    assert missing_spec_note._guess_column_roles(packed, tmp_path) != missing_spec_note._UNREAD


def _claimed(world, prediction_id, *, name="x.csv"):
    with world.journal() as journal:
        journal.add_prediction(Prediction(id=prediction_id, model="a", csv_name=name, created_at=1.0, updated_at=1.0))
    inputs = Workplace(world.settings, prediction_id).inputs
    inputs.mkdir(parents=True)
    (inputs / name).write_text(CSV)
