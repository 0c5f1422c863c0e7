"""CSVs dropped into a model's folder: the lane beside the training, its process scripted."""

from __future__ import annotations

import importlib.util
import json
import os
import signal

import anyio
import pytest

from daemon.errors import UnknownJobError
from daemon.jobs.cancel_and_retry import write_request
from daemon.journal.prediction_record import Prediction
from daemon.journal.work_folder import Workplace
from daemon.outbox.publish_prediction import require_prediction_output
from freeal.errors import ConfigError
from freeal.settings import PredictSettings

_NEWER = "text\nlovely\nbroken\n"


def test_a_model_labels_what_is_dropped_into_its_folder(world):
    """Prediction beside its facts, the input in done/."""
    world.drop()
    world.run()
    world.drop_to_predict()
    assert 0 == world.run()
    with world.journal() as journal:
        [prediction] = journal.predictions()
    assert ("done", 1) == (prediction.state, prediction.rows)
    assert "text\nfine\nlabelled\n" == (world.settings.models / "a" / "predictions" / "new.csv").read_text()
    assert (
        prediction.id
        == json.loads((world.settings.models / "a" / "predictions" / "new.json").read_text())["prediction"]
    )
    assert ["new.csv"] == world.names("models", "a", "done", prediction.id)
    assert [] == world.names("state", "work")


def test_predictions_share_a_warm_process_and_survive_its_death(world):
    """One import of torch for many CSVs; a crash costs one prediction, not the lane."""
    world.drop()
    world.run()
    for name, text in {"1.csv": "x\n", "2.csv": "crash\n", "3.csv": "bad\n", "4.csv": "x\n", "5.csv": "x\n"}.items():
        world.drop_to_predict(text, name=name)
    assert 1 == world.run()
    with world.journal() as journal:
        states = [one.state for one in sorted(journal.predictions(), key=lambda one: one.csv_name)]
    assert ["done", "failed", "failed", "done", "done"] == states
    folder = world.settings.models / "a" / "predictions"
    pids = [json.loads((folder / f"{number}.json").read_text())["pid"] for number in (1, 4, 5)]
    assert (True, True) == (pids[1] == pids[2], pids[0] != pids[1])
    texts = [path.read_text() for path in (world.settings.models / "a" / "failed").glob("*/ERROR.txt")]
    assert 1 == sum("no column" in text for text in texts)


def test_rows_are_published_as_what_the_settings_say(world):
    """`predict.output: parquet` asks the process for such a file, and that is what appears."""
    pytest.importorskip("pyarrow")
    world.drop()
    world.run()
    world.settings = world.settings.model_copy(update={"predict": PredictSettings(output="parquet")})
    world.drop_to_predict()
    assert 0 == world.run()
    assert ["new.json", "new.parquet"] == world.names("models", "a", "predictions")
    assert [] == world.names("state", "work")


def test_without_what_writes_parquet_the_service_does_not_start(world, monkeypatch):
    """The key and the extra to install are named before any file is taken."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    settings = world.settings.model_copy(update={"predict": PredictSettings(output="parquet")})
    with pytest.raises(ConfigError, match=r"predict\.output.*not installed.*\[parquet\]"):
        require_prediction_output(settings)
    require_prediction_output(world.settings)


def test_a_csv_for_a_model_without_a_version_waits(world):
    """It is not taken before there is something to answer with."""
    world.drop_to_predict(model="b")
    assert 0 == world.run()
    assert ["new.csv"] == world.names("models", "b", "predict")


def test_a_prediction_cut_off_is_done_again(world):
    """Claimed by a daemon that died: the next one sees it through."""
    world.drop()
    world.run()
    with world.journal() as journal:
        journal.add_prediction(Prediction(id="p-1", model="a", csv_name="x.csv", created_at=1.0, updated_at=1.0))
    inputs = Workplace(world.settings, "p-1").inputs
    inputs.mkdir(parents=True)
    (inputs / "x.csv").write_text("x\n")
    assert 0 == world.run()
    assert ["x.csv", "x.json"] == world.names("models", "a", "predictions")


def _turns(world):
    """(file, batch size) of every slice, in order."""
    return [tuple(line.split(" ")[:2]) for line in (world.root / "turns.txt").read_text().splitlines()]


def test_a_huge_file_keeps_neither_a_tiny_one_nor_another_huge_one_waiting(world):
    """After its first slice it goes behind whoever has had none, then turns are taken."""
    world.drop()
    world.run()
    for number, text in enumerate(("slow\n", "slow\n", "x\n"), start=1):
        _claimed(world, f"p-{number}", text, name=f"{number}.csv")
    assert 0 == world.run()
    assert ["1.csv", "2.csv", "3.csv", "1.csv", "2.csv", "1.csv", "2.csv"] == [name for name, _ in _turns(world)]
    with world.journal() as journal:
        assert {"done"} == {one.state for one in journal.predictions()}
        assert [(3, 3), (3, 3)] == [(one.done, one.total) for one in journal.predictions() if one.total]


def test_a_prediction_whose_process_is_killed_goes_on_with_half_the_batch(world):
    """Once; the kernel kills what takes too much memory."""
    world.drop()
    world.run()
    world.drop_to_predict("crash once\n")
    assert 0 == world.run()
    assert [("new.csv", "64"), ("new.csv", "32")] == _turns(world)


def test_a_second_kill_is_the_end_of_a_prediction(world):
    """The reason says how it died, and the input is where a failed one belongs."""
    world.drop()
    world.run()
    world.drop_to_predict("crash\n")
    assert 1 == world.run()
    assert [("new.csv", "64"), ("new.csv", "32")] == _turns(world)
    [error] = (world.settings.models / "a" / "failed").glob("*/ERROR.txt")
    assert "killed by SIGKILL" in error.read_text()


def test_a_cancelled_prediction_never_has_its_turn(world):
    """Asked for while no daemon runs: the input goes to failed/, nothing is published, and it is no failure."""
    world.drop()
    world.run()
    _claimed(world, "p-1", "x\n")
    with world.journal() as journal:
        write_request(journal, "p-1", "cancel")
    assert 0 == world.run()
    assert not (world.root / "turns.txt").exists()
    assert "cancelled by the user" in (world.settings.models / "a" / "failed" / "p-1" / "ERROR.txt").read_text()
    assert [] == world.names("models", "a", "predictions")
    with world.journal() as journal:
        assert "cancelled" == journal.prediction("p-1").state
        with pytest.raises(UnknownJobError, match="is cancelled: there is nothing to cancel"):
            write_request(journal, "p-1", "cancel")
        with pytest.raises(UnknownJobError, match="drop its file in the predict folder"):
            write_request(journal, "p-1", "retry")


def test_a_prediction_stays_with_the_version_it_began_with(world):
    """A newer version is published while it waits; once its own is deleted it begins anew with the current one."""
    world.drop()
    world.run()
    old = world.jobs()[0].id
    world.drop(csv=_NEWER)
    world.run()
    new = next(job.id for job in world.jobs() if job.id != old)
    _claimed(world, "p-1", "x\n", version=old)
    _claimed(world, "p-2", "x\n")
    _claimed(world, "p-3", "x\n", version="gone")
    assert 0 == world.run()
    models = [line.split(" ")[2].split("/")[-2] for line in (world.root / "turns.txt").read_text().splitlines()]
    assert [old, new, new] == models


def test_a_stop_leaves_an_unfinished_prediction_to_the_next_daemon(world):
    """Told to stop amid a slice, the daemon ends well and the prediction is finished by the next one."""
    world.drop()
    world.run()
    world.drop_to_predict("hang\n")

    async def stop():
        with anyio.fail_after(30):
            while not list(world.settings.work.glob("*/output.slices")):  # noqa: ASYNC110 - a file sets no event
                await anyio.sleep(0.05)
            os.kill(os.getpid(), signal.SIGTERM)

    assert 0 == world.run(once=False, beside=stop)
    with world.journal() as journal:
        [prediction] = journal.predictions()
        assert "claimed" == prediction.state
    assert 0 == world.run()
    assert ["new.csv", "new.json"] == world.names("models", "a", "predictions")


def test_the_result_of_a_packed_table_is_named_like_its_stem(world):
    """`new.csv.gz` in, `new.csv` and `new.json` out."""
    world.drop()
    world.run()
    _claimed(world, "p-1", "x\n", name="new.csv.gz")
    assert 0 == world.run()
    assert ["new.csv", "new.json"] == world.names("models", "a", "predictions")


def _claimed(world, prediction_id, text, *, version="", name="x.csv"):
    moment = float(prediction_id[-1])
    with world.journal() as journal:
        journal.add_prediction(
            Prediction(
                id=prediction_id, model="a", csv_name=name, version=version, created_at=moment, updated_at=moment
            )
        )
    inputs = Workplace(world.settings, prediction_id).inputs
    inputs.mkdir(parents=True)
    (inputs / name).write_text(text)


def test_too_little_disk_lets_a_prediction_wait(world):
    """As it does a job: nothing is written, nothing has failed, and it is done when there is room."""
    world.drop()
    world.run()
    jobs = world.settings.jobs
    world.settings = world.settings.model_copy(update={"jobs": jobs.model_copy(update={"min_free_disk_mb": 10**12})})
    world.drop_to_predict()
    assert 1 == world.run()
    assert [] == world.names("models", "a", "predictions")
    world.settings = world.settings.model_copy(update={"jobs": jobs})
    assert 0 == world.run()
    assert ["new.csv", "new.json"] == world.names("models", "a", "predictions")
