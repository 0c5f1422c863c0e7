"""What arrives while jobs run or after they are done: the whole service in this process, its children scripted."""

from __future__ import annotations

import os

import anyio
import pytest

from daemon.host.clock import Clock
from daemon.inbox.claim_pair import Intake
from daemon.inbox.file_sightings import look_around, observe
from daemon.inbox.pairing import Pair
from daemon.jobs.cancel_and_retry import write_request
from daemon.journal.job_record import State
from daemon.outbox.model_shelf import Shelf

CSV = "text\nfine\nawful\n"
SPEC = "description: What the reviewer felt.\nlabels: [good, bad]\n"


async def _until(happened):
    with anyio.fail_after(30):
        while not happened():  # noqa: ASYNC110 - another process writes the file we wait for
            await anyio.sleep(0.02)


def test_the_same_content_under_another_name_is_already_done(world):
    """It says as what, points to that model, and asks nothing."""
    world.drop("a")
    world.run()
    world.drop("b")
    assert 0 == world.run()
    first, second = world.jobs()
    assert (f"already done as {first.id}", "a", 0.0, 0) == (second.reason, second.name, second.usd, second.attempts)
    assert ["b.csv", "b.yaml"] == world.names("inbox", "done", second.id)
    assert ["a"] == world.names("models")


@pytest.mark.parametrize("addition", ["name: c\n", "force: true\n"])
def test_a_name_of_its_own_or_force_makes_the_same_content_a_job(world, addition):
    """Whoever asks for another model gets it."""
    world.drop("a")
    world.run()
    world.drop("b", spec=SPEC + addition)
    world.run()
    assert ("", "c" if "name" in addition else "b") == (world.jobs()[1].reason, world.jobs()[1].name)


def test_the_same_file_touched_and_dropped_again_is_already_done(world):
    """Only its time is new."""
    world.drop()
    world.run()
    world.drop()
    os.utime(world.settings.inbox / "a.csv", (2_000_000_000, 2_000_000_000))
    world.run()
    assert world.jobs()[1].reason.startswith("already done as")


def test_a_model_name_in_use_becomes_a_new_version(world):
    """The newest is the current one; the one before is kept."""
    world.drop("a", spec=SPEC + "name: m\n")
    world.run()
    world.drop("b", csv=CSV + "new\n", spec=SPEC + "name: m\n")
    world.run()
    first, second = world.jobs()
    assert second.id == Shelf(world.settings.models, "m").current
    assert sorted([first.id, second.id]) == world.names("models", "m", "versions")
    assert ["a.csv", "b.csv"] == world.names("models", "m", "annotated")


def test_two_csvs_for_one_model_at_once_run_in_order(world):
    """Never side by side, however many jobs may be: the second begins when the first is published."""
    jobs = world.settings.jobs.model_copy(update={"parallel": 2})
    world.settings = world.settings.model_copy(update={"jobs": jobs})
    world.drop("a", spec=SPEC + "name: m\n")
    world.drop("b", csv=CSV + "new\n", spec=SPEC + "name: m\n")
    assert 0 == world.run()
    first, second = world.jobs()
    assert ["a.csv", "b.csv"] == [first.csv_name, second.csv_name]
    assert first.updated_at <= second.updated_at
    assert second.id == Shelf(world.settings.models, "m").current


@pytest.mark.parametrize("what", ["csv", "spec"])
def test_what_is_dropped_during_a_job_is_a_job_of_its_own(world, what):
    """The running one keeps its bytes; the edited pair is taken beside it and runs after it."""
    world.drop(csv="text\nhang\n")
    new_csv, new_spec = ("text\nnew\n", SPEC) if what == "csv" else ("text\nhang\nfine\n", SPEC + "iterations: 1\n")

    async def replace_while_it_runs():
        await _until(lambda: list(world.settings.work.glob("*/rounds/runs")))
        world.drop(csv=new_csv, spec=new_spec)
        await _until(lambda: len(world.jobs()) == 2)
        with world.journal() as journal:
            write_request(journal, journal.jobs()[0].id, "cancel")

    assert 1 == world.run(beside=replace_while_it_runs)
    first, second = world.jobs()
    assert (State.CANCELLED, State.DONE) == (first.state, second.state)
    assert "text\nhang\n" == (world.settings.inbox / "failed" / first.id / "a.csv").read_text()
    done = world.settings.inbox / "done" / second.id
    assert (new_csv, new_spec) == ((done / "a.csv").read_text(), (done / "a.yaml").read_text())


def test_a_claim_cut_off_before_a_replacement_is_given_back(world):
    """Killed between the row and the files, and the CSV is another by now: what lies there is taken as it is."""
    world.drop()
    world.run()
    world.drop(csv="text\nold\n")
    with world.journal() as journal:
        _claim_without_files(world, journal)
    world.drop(csv="text\nnew\n")
    assert 0 == world.run()
    _, job = world.jobs()
    assert "text\nnew\n" == (world.settings.inbox / "done" / job.id / "a.csv").read_text()
    assert (State.DONE, ["done"]) == (job.state, world.names("inbox"))


def _claim_without_files(world, journal):
    """As a kill would leave it: the journal's row, the files still in the inbox."""
    seen = observe({}, look_around(world.settings.inbox), now=0.0)
    with pytest.raises(KeyboardInterrupt):
        _CutOff(world.settings, journal, Clock()).claim_pair(Pair("a.csv", "a.yaml"), seen)


class _CutOff(Intake):
    def settle_claim(self, job):
        raise KeyboardInterrupt(job.id)


def test_a_state_folder_on_another_disk_takes_and_archives_whole_files(world, tmp_path, elsewhere):
    """No rename reaches it: copied, synced, renamed, and only then removed."""
    world.settings = world.settings.model_copy(update={"state": elsewhere})
    (elsewhere / "work").mkdir()
    world.drop()
    assert 0 == world.run()
    [job] = world.jobs()
    assert CSV == (world.settings.inbox / "done" / job.id / "a.csv").read_text()
    assert ([], ["done"]) == (list((elsewhere / "work").iterdir()), world.names("inbox"))
    assert [] == list(tmp_path.rglob(".*.tmp"))
