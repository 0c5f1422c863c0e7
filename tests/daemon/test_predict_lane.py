"""CSVs dropped into a model's folder: the lane beside the training, its process scripted."""

from __future__ import annotations

import json

from daemon.jobs.prediction import Prediction
from daemon.jobs.workplace import Workplace


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
