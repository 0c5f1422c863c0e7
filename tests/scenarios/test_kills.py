"""kill -9 at named points and at random times, then one more run: nothing lost, paid twice or left lying about.

Points and processes are real; see kills/hooks/sitecustomize.py. `make bench-kills` counts many more of them.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "kills"))  # shared with the benchmark, which is a script

import bill
import scenes
from matrix import Point, kill_at, random_kill, recorded

from freeal.testing.server import MessagesServer

DANGEROUS = (
    Point("daemon", "rename inbox/reviews.yaml -> .state/work/reviews-*/input/reviews.yaml"),
    Point("job", "commit .state/answers.sqlite (delete open_calls)", 3),
    Point("job", "rename .state/work/reviews-*/rounds/.round_1.tmp -> .state/work/reviews-*/rounds/round_1"),
    Point("daemon", "rename .state/work/reviews-*/output -> models/reviews/versions/reviews-*"),
    Point("daemon", "rename models/reviews/.model.*.tmp -> models/reviews/model", whole=True),
    Point("predict", "fsync .state/work/predict-reviews-*/.output.csv.*.tmp"),
)
"""Half a claim, between two answers, a round, half a publishing (twice), half a prediction."""
IN_FLIGHT = 1


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    """A server, a folder, and the first scene's undisturbed result."""
    with MessagesServer(answer=scenes.verdict) as server:
        folder = tmp_path_factory.mktemp("kills")
        stage = scenes.first(folder / "stage", server)
        reference = stage.copy_to(folder / "reference")
        assert 1 == reference.run(), "the pair with the unusable spec fails"
        yield folder, stage, reference.picture()


@pytest.mark.parametrize("point", DANGEROUS, ids=lambda point: f"{point.role}-{point.what.split('/')[-1]}")
def test_a_kill_where_it_would_hurt_most_costs_nothing(ground, point):
    """The next run ends where an undisturbed one does; a killed child's job is run again on request."""
    folder, stage, reference = ground
    copy = stage.copy_to(folder / f"{DANGEROUS.index(point)}")
    found = kill_at(copy, point, reference, in_flight=IN_FLIGHT)
    assert (True, ()) == (found.reached, found.notes), copy.beside("log").read_text()


def test_a_kill_while_corrections_are_taken_or_published_costs_nothing(tmp_path):
    """Half a claim, half a publishing, half an archive: both versions come, each of the one before."""
    work = ".state/work/reviews-*-corrections"
    points = (
        Point("daemon", f"rename models/reviews/corrections/1.csv -> {work}/input/1.csv"),
        Point("daemon", f"rename {work}/output -> models/reviews/versions/reviews-*-corrections"),
        Point("daemon", f"rename {work}/input/2.csv -> models/reviews/done/reviews-*-corrections/2.csv"),
    )
    with MessagesServer(answer=scenes.verdict) as server:
        stage = scenes.corrected(tmp_path / "stage", server)
        undisturbed = stage.copy_to(tmp_path / "reference")
        assert 0 == undisturbed.run(), undisturbed.beside("log").read_text()
        reference = undisturbed.picture()
        for number, point in enumerate(points):
            copy = stage.copy_to(tmp_path / str(number))
            found = kill_at(copy, point, reference, in_flight=IN_FLIGHT)
            assert (point, True, ()) == (point, found.reached, found.notes), copy.beside("log").read_text()


def test_no_kill_takes_a_cent_out_of_the_books(tmp_path):
    """Jobs that ask live and in batches, killed with calls under way: what is booked was billed, and what was billed
    is booked or unconfirmed, at once and when the job is done."""
    with MessagesServer(answer=scenes.verdict, latency_seconds=0.1) as server:
        accounts = list(bill.of_jobs(tmp_path, server, random.Random(3), kills=6))
    assert 8 <= len(accounts)
    assert [] == [account for account in accounts if not account.holds]
    assert any(account.unconfirmed_usd for account in accounts)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_kill_of_the_service_takes_a_cent_out_of_its_journal(tmp_path):
    """One process or all of them: the journal's figures hold the bill once the job is done."""
    with MessagesServer(answer=scenes.verdict, latency_seconds=0.3) as server:
        accounts = list(bill.of_service(tmp_path, server, random.Random(3), kills=6))
    assert [] == [account for account in accounts if not account.holds]


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("name", ["first", "later", "corrected"])
def test_a_kill_at_any_point_costs_nothing(tmp_path, name):
    """Every file operation and every commit of daemon, job and predict process: alone, and all processes at once."""
    with MessagesServer(answer=scenes.verdict) as server:
        stage = getattr(scenes, name)(tmp_path / "stage", server)
        (undisturbed := stage.copy_to(tmp_path / "reference")).run()
        reference = undisturbed.picture()
        wrong = {}
        for number, point in enumerate(recorded(stage.copy_to(tmp_path / "recorded"))):
            copy = stage.copy_to(tmp_path / str(number))
            found = kill_at(copy, point, reference, in_flight=IN_FLIGHT)
            wrong |= {} if found.is_clean else {(point.name, point.nth): found.notes}
        assert {} == wrong


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_kills_at_random_times_cost_nothing(ground):
    """Whatever was going on, also twice in a row."""
    folder, stage, reference = ground
    chance = random.Random(7)
    for number in range(20):
        copy = stage.copy_to(folder / f"random-{number}")
        found = random_kill(copy, chance, reference, longest=3.0, in_flight=2 * IN_FLIGHT, times=2)
        assert () == found.notes, copy.beside("log").read_text()


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_a_kill_of_the_real_program_costs_nothing(tmp_path, encoder):
    """With torch: while rows are asked, in an epoch, between epochs and rounds, while results are written, published,
    and while rows are predicted. Model and labels are the same to the last byte, whether one process is killed or all.
    """
    points = (
        Point("job", "commit .state/answers.sqlite (delete open_calls)", 3),
        Point("job", "call freeal.student.training.robust_training:RobustTraining._lesson", 2, whole=True),
        Point("job", "call freeal.student.training.robust_training:RobustTraining._step", 2, whole=True),
        Point(
            "job",
            "rename .state/work/reviews-*/rounds/*/.round_1.tmp -> .state/work/reviews-*/rounds/*/round_1",
            whole=True,
        ),
        Point("job", "call freeal.student.training.robust_training:RobustTraining._step", 5),
        Point("job", "call freeal.job.write_output_folder:write"),
        Point(
            "job",
            "rename .state/work/reviews-*/output/.run.json.*.tmp -> .state/work/reviews-*/output/run.json",
            whole=True,
        ),
        Point("daemon", "commit .state/journal.sqlite (update jobs training)"),
        Point("daemon", "rename .state/work/reviews-*/output -> models/reviews/versions/reviews-*", whole=True),
        Point("predict", "call freeal.prediction.window_scoring:score", whole=True),
    )
    with MessagesServer(answer=scenes.verdict) as server:
        stage = scenes.real(tmp_path / "stage", server, encoder)
        undisturbed = stage.copy_to(tmp_path / "reference")
        assert 0 == undisturbed.run(), undisturbed.beside("log").read_text()
        reference = undisturbed.picture()
        for number, point in enumerate(points):
            copy = stage.copy_to(tmp_path / str(number))
            found = kill_at(copy, point, reference, in_flight=scenes.CONCURRENCY, calls=scenes.REAL_CALLS)
            assert (point, True, ()) == (point, found.reached, found.notes), copy.beside("log").read_text()
