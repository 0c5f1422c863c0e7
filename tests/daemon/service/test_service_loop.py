"""The whole service in this process, its children scripted: real files, real signals of life, no model."""

from __future__ import annotations

import json
import os
import signal

import anyio
import pytest
from rich.console import Console

from daemon import app
from daemon.config import Loaded
from daemon.errors import AlreadyRunningError
from daemon.host import instance_lock
from daemon.jobs.cancel_and_retry import write_request
from daemon.journal.job_record import State
from daemon.journal.work_folder import Workplace
from freeal.settings import LlmSettings

CSV = "text\nfine\nawful\n"
SPEC = "description: What the reviewer felt.\nlabels: [good, bad]\n"


@pytest.mark.parametrize("mode", ["off", "poll", "native", "auto"])
def test_a_dropped_pair_becomes_a_model_whatever_watches(world, mode):
    """Events are hints: the same happens with and without them."""
    watch = world.settings.watch.model_copy(update={"mode": mode})
    world.settings = world.settings.model_copy(update={"watch": watch})
    world.drop()
    assert 0 == world.run()
    [job] = world.jobs()
    assert (State.DONE, 0.25, 1) == (job.state, job.usd, job.round)
    assert ["a.csv", "a.yaml"] == world.names("inbox", "done", job.id)
    assert CSV == (world.settings.models / "a" / "annotated" / "a.csv").read_text()
    assert (world.settings.models / "a" / "model" / "config.json").is_file()
    assert (["done"], []) == (world.names("inbox"), world.names("state", "work"))


def test_a_crash_of_the_child_fails_its_job_only(world):
    """The service and the other jobs go on."""
    world.drop("bad", csv="text\ncrash\n")
    world.drop("good")
    assert 1 == world.run()
    assert {"bad": State.FAILED, "good": State.DONE} == {job.name: job.state for job in world.jobs()}
    [bad] = [job for job in world.jobs() if job.name == "bad"]
    assert "killed by SIGKILL" in (world.settings.inbox / "failed" / bad.id / "ERROR.txt").read_text()


def test_a_process_killed_once_is_started_again_with_the_state_of_its_rounds(world):
    """What was paid for is still there the second time; nobody has to ask for it. The kernel had memory enough, so
    nothing else changes."""
    world.drop(csv="text\ncrash once\n")
    assert 0 == world.run()
    [job] = world.jobs()
    assert (State.DONE, 0.5, 2, "died") == (job.state, job.usd, job.attempts, job.setbacks)
    assert ([], ["a.csv", "a.yaml"]) == (world.names("inbox", "failed"), world.names("inbox", "done", job.id))
    request = json.loads((world.settings.models / "a" / "versions" / job.id / "request.json").read_text())
    assert (None, 32) == (request.get("most_at_once"), request["student"]["batch_size"])


def test_a_retry_has_its_second_tries_again(world):
    """A person who says `retry` has mended something."""
    world.drop(csv="text\ncrash\n")
    assert 1 == world.run()
    [job] = world.jobs()
    assert (State.FAILED, 2, "xx") == (job.state, job.attempts, _runs(world, job))
    with world.journal() as journal:
        write_request(journal, job.id, "retry")
    assert 1 == world.run()
    assert "xxxx" == _runs(world, world.jobs()[0])


def _runs(world, job):
    return (world.settings.work / job.id / "rounds" / "runs").read_text()


def test_the_same_content_again_is_not_run_again(world):
    """The inputs go to done/, nothing is asked; with `force: true` it runs."""
    world.drop()
    world.run()
    world.drop()
    assert 0 == world.run()
    first, second = world.jobs()
    assert (f"already done as {first.id}", 0.0) == (second.reason, second.usd)
    assert ["a.csv", "a.yaml"] == world.names("inbox", "done", second.id)
    world.drop(spec=SPEC + "force: true\n")
    world.run()
    assert "" == world.jobs()[2].reason


def test_a_deleted_model_is_made_again(world):
    """The journal says done, but the result is gone: the folder is the truth."""
    world.drop()
    world.run()
    (world.settings.models / "a").rename(world.root / "elsewhere")
    world.drop()
    world.run()
    assert ("", 0.25) == (world.jobs()[1].reason, world.jobs()[1].usd)


def test_a_budget_reached_is_exit_3_and_published(world):
    """Partial results are results."""
    world.drop(csv="text\npartial\n")
    assert 3 == world.run()
    assert (State.DONE, True) == (world.jobs()[0].state, world.jobs()[0].partial)
    world.drop(csv="text\npartial\n")
    world.run()
    assert "" == world.jobs()[1].reason, "a partial result does not stand in for a run"


def test_the_providers_spend_cap_pauses_the_job(world):
    """`--once` ends with 3; the inputs stay claimed, and the next run tries again."""
    world.drop(csv="text\ncap\n")
    assert 3 == world.run()
    [job] = world.jobs()
    assert (State.PAUSED, "the account's cap") == (job.state, job.reason)
    assert ["a.csv", "a.yaml"] == world.names("state", "work", job.id, "input")
    assert 3 == world.run()
    assert "xx" == (world.settings.work / job.id / "rounds" / "runs").read_text()
    assert 0 == world.jobs()[0].attempts, "an hour without money is no failure"


@pytest.mark.parametrize("parallel", [1, 2])
def test_the_cap_per_day_holds_over_jobs(world, monkeypatch, parallel):
    """The first job leaves a quarter dollar less; when nothing is left, the next one waits for tomorrow."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-test")
    jobs = world.settings.jobs.model_copy(update={"parallel": parallel})
    world.settings = world.settings.model_copy(update={"jobs": jobs})
    llm = LlmSettings(provider="anthropic", daily_budget_usd=0.3)
    world.settings = world.settings.model_copy(update={"llm": llm})
    for stem in ("a", "b", "c"):
        world.drop(stem, csv=f"text\nfine {stem}\n")
    assert 3 == world.run()
    caps = [json.loads(path.read_text())["budget_usd"] for path in world.settings.models.glob("*/metrics.json")]
    assert [pytest.approx(0.05), 0.3] == sorted(caps)
    [paused] = [job for job in world.jobs() if job.state is not State.DONE]
    assert (State.PAUSED, "llm.daily_budget_usd is spent") == (paused.state, paused.reason)


def test_a_missing_key_fails_the_job_before_a_process_is_started(world):
    """The report says where a key would be found."""
    world.settings = world.settings.model_copy(update={"llm": LlmSettings(provider="anthropic")})
    world.drop()
    assert 1 == world.run()
    [job] = world.jobs()
    assert ("CredentialsError", 0) == (job.error["kind"], job.attempts)


def test_one_file_waits_alone_and_once_ends(world):
    """Nothing that waits for a person keeps `--once` from ending."""
    (world.settings.inbox / "a.csv").write_text(CSV)
    assert 0 == world.run()
    assert ["a.csv"] == world.names("inbox")


def test_too_little_disk_pauses_before_anything_is_spent(world):
    """No job starts that could not be finished."""
    jobs = world.settings.jobs.model_copy(update={"min_free_disk_mb": 10**12})
    world.settings = world.settings.model_copy(update={"jobs": jobs})
    world.drop()
    assert 1 == world.run()
    [job] = world.jobs()
    assert (State.PAUSED, 0) == (job.state, job.attempts)
    assert "jobs.min_free_disk_mb" in job.reason


def test_sigterm_stops_the_job_where_it_can_be_resumed_and_exits_0(world):
    """The journal says claimed, the inputs and the rounds are still there."""
    world.drop(csv="text\nhang\n")

    async def stop_when_it_runs():
        await _until(lambda: list(world.settings.work.glob("*/rounds/runs")))
        os.kill(os.getpid(), signal.SIGTERM)

    assert 0 == world.run(once=False, beside=stop_when_it_runs)
    [job] = world.jobs()
    place = Workplace(world.settings, job.id)
    assert (State.CLAIMED, True, True) == (job.state, (place.inputs / "a.csv").exists(), place.rounds.exists())


def test_a_cancelled_job_stops_and_its_inputs_go_to_failed(world):
    """Asked for beside the running daemon."""
    world.drop(csv="text\nhang\n")

    async def cancel_when_it_runs():
        await _until(lambda: list(world.settings.work.glob("*/rounds/runs")))
        with world.journal() as journal:
            write_request(journal, journal.jobs()[0].id, "cancel")

    assert 1 == world.run(beside=cancel_when_it_runs)
    [job] = world.jobs()
    assert (State.CANCELLED, "") == (job.state, job.request)
    assert {"a.csv", "a.yaml", "ERROR.txt"} <= set(world.names("inbox", "failed", job.id))


def test_a_publishing_cut_off_is_finished_without_another_run(world):
    """The output stands, the link does not: a restart only publishes."""
    world.drop()
    world.run()
    [job] = world.jobs()
    place = Workplace(world.settings, job.id)
    _rewind_to_publishing(world, job, place)
    assert 0 == world.run()
    [job] = world.jobs()
    assert (State.DONE, 1) == (job.state, job.attempts)
    assert (world.settings.models / "a" / "model" / "config.json").is_file()
    assert ["a.csv", "a.yaml"] == world.names("inbox", "done", job.id)


async def _until(happened):
    while not happened():  # noqa: ASYNC110 - another process writes the file we wait for
        await anyio.sleep(0.02)


def _rewind_to_publishing(world, job, place):
    place.folder.mkdir(parents=True)
    shelf = world.settings.models / "a"
    (shelf / "versions" / job.id).rename(place.output)
    (shelf / "model").unlink()
    place.done.rename(place.inputs)
    with world.journal() as journal:
        journal.note(job.id, state=State.PUBLISHING)


def test_a_folder_where_the_link_belongs_fails_the_job_before_it_runs(world):
    """Somebody's folder stands there: nothing is asked or paid for, and once it is mended `retry` publishes."""
    obstacle = world.settings.models / "a" / "model"
    obstacle.mkdir(parents=True)
    world.drop()
    assert 1 == world.run()
    [job] = world.jobs()
    assert "in use" in job.error["problem"]
    assert not (obstacle.parent / "versions" / job.id).exists()
    obstacle.rmdir()
    with world.journal() as journal:
        write_request(journal, job.id, "retry")
    assert 0 == world.run()
    assert CSV == (obstacle.parent / "annotated" / "a.csv").read_text()


def test_work_of_nobody_is_cleared_but_inputs_never(world):
    """Leftovers of finished jobs go; a file somebody dropped is not deleted, whatever the journal says."""
    (world.settings.work / "left" / "rounds").mkdir(parents=True)
    kept = world.settings.work / "unknown" / "input"
    kept.mkdir(parents=True)
    (kept / "a.csv").write_text(CSV)
    world.run()
    assert ["unknown"] == world.names("state", "work")


def test_two_daemons_cannot_share_a_state_folder(world):
    """The second is told at once."""
    loaded = Loaded(world.settings, world.root, {"web.enabled": "default"})
    with (
        instance_lock.hold_instance_lock(world.settings.state),
        pytest.raises(AlreadyRunningError, match="another instance"),
    ):
        app.serve(loaded, once=True, console=Console(quiet=True))
