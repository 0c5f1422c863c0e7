"""What an operator does to a running service, and what it tells of itself."""

from __future__ import annotations

import io
import itertools
import os
import signal
import socket

import anyio
import pytest
from rich.console import Console

from daemon import config
from daemon.errors import JournalError, UnknownJobError
from daemon.host.systemd_notify import Notifier
from daemon.jobs.cancel_and_retry import write_request
from daemon.journal.job_record import Job, State
from daemon.service.config_reload import Reload, compare_settings
from daemon.service.watchdog_heartbeat import STUCK_SECONDS, Heart, Pulse
from daemon.status.status_snapshot import pace_of_job, status_snapshot
from daemon.status.status_table import duration, show_status


def _job(number, **fields):
    known = {"id": f"m-{number}", "name": "m", "key": "", "csv_name": "a.csv", "spec_name": "a.yaml"}
    return Job(**(known | {"created_at": float(number), "updated_at": 0.0} | fields))


@pytest.fixture
def systemd(tmp_path):
    """What systemd would hear."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as listening:
        path = tmp_path / "notify"
        listening.bind(str(path))

        class Heard:
            notifier = Notifier({"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "30000000"})

            def __iter__(self):
                while True:
                    try:
                        yield listening.recv(4096).decode()
                    except BlockingIOError:
                        return

        yield Heard()


def test_what_can_change_is_in_force_and_what_cannot_waits_by_key(settings):
    """Folders and sockets stay as they are, whatever the file says now."""
    new = config.Settings(
        inbox=settings.inbox / "other",
        models=settings.models,
        state=settings.state,
        watch=config.WatchSettings(mode="poll", stability_seconds=9.0),
        jobs=config.JobSettings(parallel=7),
        web=config.WebSettings(port=1),
    )
    change = compare_settings(settings, new)
    assert {"inbox", "watch.mode", "web.port"} == set(change.wait)
    assert {"watch.stability_seconds", "jobs.parallel"} == set(change.in_force)
    kept = change.settings
    assert (settings.inbox, "auto", 9.0, 7) == (
        kept.inbox,
        kept.watch.mode,
        kept.watch.stability_seconds,
        kept.jobs.parallel,
    )
    assert settings.web == kept.web


def test_a_file_with_a_mistake_changes_nothing_and_says_where_it_is(tmp_path, capsys):
    """File, line and key, as at the start; after that the service goes on as before."""
    file = tmp_path / "freeal.yaml"
    file.write_text("jobs: {parallel: 2}\n")
    loaded = config.load(file)
    file.write_text("jobs:\n  paralel: 3\n")
    reload = Reload(lambda: config.load(loaded.file))
    assert None is reload(loaded.settings)
    said = "".join(capsys.readouterr())  # on stderr where another test has configured the log
    assert [] == [part for part in ("freeal.yaml", "line 2", "paralel", "the settings stay") if part not in said]


def test_a_service_that_is_reloaded_says_so_and_starts_more_jobs(world, systemd, tmp_path):
    """SIGHUP: `jobs.parallel` counts from then on; systemd hears of the begin, with its time, and of the end."""
    file = tmp_path / "freeal.yaml"
    for stem in ("a", "b"):
        world.drop(stem, csv=f"text\n{stem}\nhang\n")
    world.settings = world.settings.model_copy(update={"jobs": config.JobSettings(parallel=1)})

    def read():
        file.touch()
        jobs = config.JobSettings(parallel=2)
        return config.Loaded(world.settings.model_copy(update={"jobs": jobs}), tmp_path, {})

    world.reload, world.notifier = Reload(read), systemd.notifier

    async def reload_when_one_runs():
        await _until(lambda: len(_running(world)) == 1)
        os.kill(os.getpid(), signal.SIGHUP)
        await _until(lambda: len(_running(world)) == 2)
        os.kill(os.getpid(), signal.SIGTERM)

    assert 0 == world.run(once=False, beside=reload_when_one_runs)
    heard = [message.splitlines() for message in systemd]
    reloads = [lines for lines in heard if "RELOADING=1" in lines]
    assert 1 == len(reloads)
    assert reloads[0][1].removeprefix("MONOTONIC_USEC=").isdigit()
    after = heard[heard.index(reloads[0]) :]
    assert any("READY=1" in lines for lines in after)
    assert any("STOPPING=1" in lines for lines in after)


def test_a_second_signal_ends_everything_at_once(world):
    """A job that takes no notice of the first is killed; it is unfinished, and the next start goes on with it."""
    world.drop(csv="text\ndeaf\n")

    async def stop_twice():
        await _until(lambda: len(_running(world)) == 1)
        os.kill(os.getpid(), signal.SIGTERM)
        await anyio.sleep(0.2)
        os.kill(os.getpid(), signal.SIGTERM)

    assert 0 == world.run(once=False, beside=stop_twice)
    [job] = world.jobs()
    assert job.state not in {State.DONE, State.FAILED, State.CANCELLED}
    assert ["a.csv", "a.yaml"] == world.names("state", "work", job.id, "input")


def test_two_jobs_never_compute_at_once_and_both_run(world):
    """Each asks for the device, works a moment and gives it back; their turns do not overlap."""
    for stem in ("a", "b"):
        world.drop(stem, csv=f"text\n{stem}\nturns\n")
    world.settings = world.settings.model_copy(update={"jobs": config.JobSettings(parallel=2)})
    assert 0 == world.run()
    turns = sorted(
        tuple(map(float, line.split())) for line in (world.settings.state / "turns").read_text().splitlines()
    )
    assert 6 == len(turns)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(turns))


def _running(world):
    return list(world.settings.work.glob("*/rounds/runs"))


async def _until(happened):
    while not happened():  # noqa: ASYNC110 - another process does what we wait for
        await anyio.sleep(0.02)


class TestPulse:
    """Whether the service does its work."""

    def test_a_loop_that_does_not_turn_is_no_life(self, hands):
        """However well the event loop does: a scan stuck on a dead share must end in a restart."""
        pulse = Pulse(hands.clock)
        pulse.step("looking at the folders")
        hands.pass_by(STUCK_SECONDS)
        assert None is pulse.problem()
        hands.pass_by(1.0)
        assert "looking at the folders for 301 seconds" in pulse.problem()

    def test_systemd_hears_nothing_from_a_service_that_does_not_work(self, hands, journal, systemd):
        """And hears again from one that does; `status` is told why in between."""
        pulse = Pulse(hands.clock)
        heart = Heart(journal, systemd.notifier, pulse)

        async def beat_once():
            with anyio.move_on_after(0.01):
                await heart.beat(dict)

        anyio.run(beat_once)
        assert ["WATCHDOG=1"] == list(systemd)
        hands.pass_by(STUCK_SECONDS + 1)
        anyio.run(beat_once)
        assert [] == list(systemd)
        assert "starting" in journal.health()["problem"]
        pulse.step("at rest")
        anyio.run(beat_once)
        assert ["WATCHDOG=1"] == list(systemd)

    def test_a_journal_that_cannot_be_written_is_no_life(self, hands, systemd):
        """Nothing the service did could be found again."""
        pulse = Pulse(hands.clock)

        class Broken:
            def beat(self, *_):
                raise JournalError("cannot be used: locked")

        async def beat_once():
            with anyio.move_on_after(0.01):
                await Heart(Broken(), systemd.notifier, pulse).beat(dict)

        anyio.run(beat_once)
        assert [] == list(systemd)
        assert "the journal cannot be written" in pulse.problem()


@pytest.mark.parametrize(
    ("asked", "meant"),
    [("m-2O", "m-20"), ("/models/m/versions/m-20/", "m-20"), ("m-20.", "m-20"), ("20", "m-20")],
)
def test_an_unknown_id_names_the_nearest_ones(journal, asked, meant):
    """Mistyped, or copied with what stood around it."""
    journal.add(_job(20))
    with pytest.raises(UnknownJobError, match=f"did you mean {meant}"):
        write_request(journal, asked, "cancel")


def test_a_stage_under_way_tells_its_pace_and_what_is_left():
    """From when it began and what was there then: answers of an earlier run say nothing of the speed. What is left is
    of the whole job, and counts down between two signs of life."""
    job = _job(1, state=State.ANNOTATING, done=300, total=900, stage_since=100.0, stage_first=100, ends_at=650.0)
    assert {"per_second": 2.0, "remaining_seconds": 450.0} == pace_of_job(job, 200.0)
    assert 0.0 == pace_of_job(job, 700.0)["remaining_seconds"]
    begun = _job(1, state=State.ANNOTATING, done=100, total=900, stage_since=100.0, stage_first=100)
    assert {"per_second": None, "remaining_seconds": None} == pace_of_job(begun, 200.0)


@pytest.mark.parametrize(
    ("seconds", "words"), [(5, "5 s"), (600, "10 min"), (12_000, "3 h 20 min"), (187_200, "2 d 4 h")]
)
def test_durations_are_short(seconds, words):
    """The two largest units, no more."""
    assert words == duration(seconds)


def test_status_shows_lanes_and_bars(settings, journal, hands):
    """Who has the device, who waits for it, how far each job is, and a batch at the provider."""
    journal.add(_job(1, state=State.ANNOTATING, created_at=1.0, round=1, stage="annotating", done=5, total=10))
    health = {
        "scan_age_seconds": 3.0,
        "watcher": {"in_use": "native", "rescan_seconds": 30.0, "problem": None, "remark": None},
        "device": {"holder": "m-1", "queue": ["m-7"]},
        "batches": ["m-9"],
        "refused": [{"file": "b.csv", "reason": "no permission"}],
    }
    journal.beat(1, health)
    status = status_snapshot(settings, hands.clock, journal=journal, waiting=())
    assert (True, "m-1", ["m-7"]) == (
        status.healthy,
        status.content["lanes"]["device"],
        status.content["lanes"]["waiting_for_device"],
    )
    stream = io.StringIO()
    show_status(status, Console(width=100, file=stream))
    text = stream.getvalue()
    for part in ("device: m-1; then m-7", "m-9", "████████░░░░░░░░ 50%", "5/10", "b.csv: no permission", "native"):
        assert part in text


@pytest.mark.parametrize(
    ("health", "problem"),
    [
        ({"problem": "the main loop has been taking files for 400 seconds"}, "restart it"),
        ({"scan_age_seconds": 1000.0}, "last looked at 1000 seconds ago"),
        ({"watcher": {"in_use": "poll", "rescan_seconds": 5, "problem": "limit reached"}}, "limit reached"),
    ],
)
def test_what_keeps_the_service_from_its_work_is_a_problem(settings, journal, hands, health, problem):
    """Each makes `status` exit with 1 and says what to do or to look at."""
    journal.beat(1, health)
    status = status_snapshot(settings, hands.clock, journal=journal, waiting=())
    assert (False, 1) == (status.healthy, sum(problem in one for one in status.content["problems"]))
