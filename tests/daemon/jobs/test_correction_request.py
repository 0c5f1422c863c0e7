"""Corrections dropped in models/<name>/corrections: from the claim to the new version, and what may come between."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil

import anyio
import pytest

from daemon.jobs.cancel_and_retry import write_request
from daemon.jobs.correction_request import asks
from daemon.journal import job_ids
from daemon.journal.job_record import State
from daemon.recovery import rebuild_finished_jobs
from freeal.corrections import corrections_file

CSV = "text,freeal_corrected\nfine,good\n"


@pytest.fixture
def model(world):
    """A world with one finished version; gives its job's id."""
    world.drop()
    assert 0 == world.run()
    return world.jobs()[0].id


def _drop(world, csv=CSV, name="queue.csv"):
    folder = world.settings.models / "a" / "corrections"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(csv)
    return folder / name


def _corrections(world):
    return [job for job in world.jobs() if job_ids.is_correction(job.id)]


def _request(world, job_id):
    return json.loads((world.settings.models / "a" / "versions" / job_id / "request.json").read_text())


def test_corrections_become_a_version(world, model):
    """The folder is there with the first version; what is dropped in it trains the model anew, without a key."""
    assert world.names("models", "a", "corrections") == []
    assert (world.settings.models / "a" / "corrections").is_dir()
    _drop(world)
    assert 0 == world.run()
    [job] = _corrections(world)
    assert (State.DONE, "a") == (job.state, job.name)
    assert f"versions/{job.id}/model" == str((world.settings.models / "a" / "model").readlink())
    assert ["queue.csv"] == world.names("models", "a", "done", job.id)
    assert ([], []) == (world.names("models", "a", "corrections"), world.names("state", "work"))
    request = _request(world, job.id)
    assert str(world.settings.models / "a" / "versions" / model) == request["version"]
    assert not {"spec", "previous_model"} & request.keys()
    assert ["done"] == world.names("inbox")


def test_versions_sort_by_age_whatever_made_them(world, model):
    """Retention deletes the oldest by name: a correction's id sorts after that of the version it corrects."""
    _drop(world)
    world.run()
    assert [model, _corrections(world)[0].id] == world.names("models", "a", "versions")


def test_two_corrections_of_one_model_follow_each_other(world, model):
    """The second corrects what the first led to."""
    _drop(world, name="1.csv")
    _drop(world, csv=CSV + "awful,bad\n", name="2.csv")
    assert 0 == world.run()
    first, second = sorted(_corrections(world), key=lambda job: job.created_at)
    assert str(world.settings.models / "a" / "versions" / first.id) == _request(world, second.id)["version"]


def test_annotated_keeps_the_name_of_the_csv_it_came_from(world, model):
    """What is called review_queue.csv holds corrections, not the rows."""
    folder = world.settings.models / "a" / "annotated"
    (folder / "a.csv").unlink()
    _drop(world)
    assert 0 == world.run()
    assert ["a.csv"] == world.names("models", "a", "annotated")


def test_the_same_corrections_again_are_nothing_to_do(world, model):
    """Unless another version came in between: then they are of another version."""
    _drop(world)
    world.run()
    [first] = _corrections(world)
    _drop(world)
    world.run()
    assert f"already done as {first.id}" == _corrections(world)[-1].reason
    point = world.settings.models / "a" / "model"
    point.unlink()
    point.symlink_to(f"versions/{model}/model")
    _drop(world)
    world.run()
    assert "" == _corrections(world)[-1].reason


def test_the_csv_again_is_trained_once_more_where_somebody_corrected_the_model(world, model):
    """What a person said is part of what the result depends on: once it is in, the same CSV is done already."""
    versions, said = world.settings.models / "a" / "versions", {"fine": "good"}
    corrections_file.remember_corrections(versions / model, said)
    world.drop()
    world.run()
    again = world.jobs()[-1]
    assert (State.DONE, "") == (again.state, again.reason)
    corrections_file.remember_corrections(versions / again.id, said)
    world.drop()
    world.run()
    assert f"already done as {again.id}" == world.jobs()[-1].reason


def test_corrections_wait_for_a_first_version(world):
    """There is nothing yet to correct; the file stays where it is and says so."""
    (world.settings.models / "a").mkdir()
    path = _drop(world)
    world.run()
    assert path.is_file()
    assert [] == world.jobs()


def test_failed_corrections_lie_in_the_models_folder_and_can_be_retried(world, model):
    """With the reason, and where to mend them."""
    _drop(world, csv="text,freeal_corrected\ncrash\n")
    assert 1 == world.run()
    [job] = _corrections(world)
    assert State.FAILED is job.state
    failed = world.settings.models / "a" / "failed" / job.id
    assert ["ERROR.txt", "error.json", "queue.csv"] == sorted(path.name for path in failed.iterdir())
    assert "corrections/ again" in (failed / "ERROR.txt").read_text()
    (failed / "queue.csv").write_text(CSV)
    with world.journal() as journal:
        write_request(journal, job.id, "retry")
    assert 0 == world.run()
    assert [State.DONE] == [one.state for one in _corrections(world)]
    assert ([], ["queue.csv"]) == (world.names("models", "a", "failed"), world.names("models", "a", "done", job.id))


def test_corrections_under_way_can_be_cancelled(world, model):
    """Nothing is published; the file is set aside."""
    _drop(world, csv="text,freeal_corrected\nhang\n")

    async def cancels():
        while not any(job.state is State.ANNOTATING for job in _corrections(world)):  # noqa: ASYNC110
            await anyio.sleep(0.02)
        with world.journal() as journal:
            write_request(journal, _corrections(world)[0].id, "cancel")

    world.run(beside=lambda _service=None: cancels())
    [job] = _corrections(world)
    assert State.CANCELLED is job.state
    assert [model] == world.names("models", "a", "versions")
    assert "queue.csv" in world.names("models", "a", "failed", job.id)


@pytest.mark.parametrize("ask_again", [False, True])
def test_a_key_is_needed_only_to_ask_again(world, model, ask_again):
    """By default a correction runs without a provider, whatever the settings name."""
    loop = world.settings.loop.model_copy(update={"ask_after_corrections": ask_again})
    llm = world.settings.llm.model_copy(update={"provider": "anthropic"})
    world.settings = world.settings.model_copy(update={"loop": loop, "llm": llm})
    _drop(world)
    assert (1 if ask_again else 0) == world.run()
    [job] = _corrections(world)
    assert ("CredentialsError" if ask_again else None) == (job.error or {}).get("kind")


def test_a_version_without_its_record_fails_the_corrections_with_a_reason(world, model):
    """Not the service."""
    (world.settings.models / "a" / "versions" / model / "run.json").unlink()
    _drop(world)
    assert 1 == world.run()
    [job] = _corrections(world)
    assert "CorruptModelError" == job.error["kind"]


def test_a_lost_journal_is_built_anew_with_the_corrections(world, model):
    """Finished and failed ones are known from their folders, and no prediction is made of them."""
    _drop(world)
    world.run()
    _drop(world, csv="text,freeal_corrected\ncrash\n", name="bad.csv")
    world.run()
    before = {job.id: job.state for job in world.jobs()}
    _lose_journal(world)
    world.run()
    assert before == {job.id: job.state for job in world.jobs()}
    assert [] == list(rebuild_finished_jobs.finished_predictions(world.settings))


def test_corrections_of_a_model_whose_name_begins_like_a_prediction_are_none(tmp_path):
    """Its archive is not entered as a prediction when the journal is built anew."""
    folder = tmp_path / "predict-x-20260101-000000-abcdef-corrections"
    folder.mkdir()
    (folder / "queue.csv").write_text(CSV)
    assert rebuild_finished_jobs.prediction_of_folder(folder, folder, state="done") is None
    assert "predict-x" == rebuild_finished_jobs.job_of_folder(folder, "queue.csv").name


def _lose_journal(world):
    for path in world.settings.state.glob("journal*"):
        path.unlink()


def test_claimed_corrections_go_on_without_the_journal(world, model):
    """A work folder says by its name what it is of, and whose."""
    job_id = re.sub(r"-[0-9a-f]{6}$", "-abcdef-corrections", model)
    inputs = world.settings.work / job_id / "input"
    inputs.mkdir(parents=True)
    (inputs / "queue.csv").write_text(CSV)
    _lose_journal(world)
    assert 0 == world.run()
    assert [(job_id, State.DONE)] == [(job.id, job.state) for job in _corrections(world)]
    assert ["queue.csv"] == world.names("models", "a", "done", job_id)


def test_a_claim_that_was_cut_off_is_finished_after_a_restart(world, model):
    """Between the journal's row and the rename: the file still lies where it was dropped."""
    path = _drop(world)
    world.run()
    [job] = _corrections(world)
    shutil.rmtree(world.settings.models / "a" / "versions" / job.id)
    point = world.settings.models / "a" / "model"
    point.unlink()
    point.symlink_to(f"versions/{model}/model")
    shutil.move(world.settings.models / "a" / "done" / job.id / "queue.csv", path)
    with world.journal() as journal:
        with journal.transaction() as connection:
            connection.execute("DELETE FROM jobs WHERE id = ?", (job.id,))
        journal.add(dataclasses.replace(job, state=State.CLAIMED, attempts=0, stage="", key=""))
    assert 0 == world.run()
    assert [(job.id, State.DONE)] == [(one.id, one.state) for one in _corrections(world)]
    assert not path.exists()


def test_a_corrections_folder_that_is_a_link_is_not_looked_into(world, model, tmp_path):
    """Nothing outside of the models folder is ours."""
    folder = world.settings.models / "a" / "corrections"
    folder.rmdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "queue.csv").write_text(CSV)
    folder.symlink_to(tmp_path / "outside")
    world.run()
    assert (tmp_path / "outside" / "queue.csv").is_file()


@pytest.mark.parametrize(
    ("job_id", "expected"),
    [
        ("a-20260101-000000-abcdef", ("inbox", False)),
        ("a-20260101-000000-abcdef-2", ("inbox", False)),
        ("a-20260101-000000-abcdef-corrections", ("models/a", True)),
        ("a-b.c-20260101-000000-abcdef-3-corrections", ("models/a-b.c", True)),
        ("predict-x-20260101-000000-abcdef-corrections", ("models/predict-x", True)),
        ("corrections", ("inbox", False)),
    ],
)
def test_an_id_tells_where_its_files_belong(settings, job_id, expected):
    """Without a journal, for models of any name."""
    home = job_ids.home(settings, job_id).relative_to(settings.models.parent)
    assert expected == (str(home), job_ids.is_correction(job_id))


def test_a_filled_sheet_is_done_without_a_version(world, model):
    """Its figures stand in the journal's last word; the version stays, the sheet is archived, nothing is left over."""
    _drop(world, csv="text,freeal_certified\nsheet\n", name="blind_sheet.csv")
    assert 0 == world.run()
    [job] = _corrections(world)
    assert State.DONE is job.state
    assert "final labels, certified: 90.0 % (80.0-95.0)" in job.reason
    assert [model] == world.names("models", "a", "versions")
    assert (["blind_sheet.csv"], []) == (world.names("models", "a", "done", job.id), world.names("state", "work"))


def test_a_sheet_whose_archiving_was_cut_off_is_not_read_again(world, model):
    """The figures lie ready: only the archiving is left."""
    _drop(world, csv="text,freeal_certified\nsheet\n", name="blind_sheet.csv")
    done = world.settings.models / "a" / "done"
    done.rmdir()
    done.write_text("in the way")
    world.run()
    [job] = _corrections(world)
    assert job.state is not State.DONE
    done.unlink()
    with world.journal() as journal:
        write_request(journal, job.id, "retry")
    world.run()
    [job] = _corrections(world)
    assert (State.DONE, 0, True) == (job.state, job.attempts, "certified" in job.reason)


def test_answers_to_boundary_questions_are_taken_as_yaml(world, model):
    """They may ask the language model, which corrections may not; any other file of that kind stays where it is."""
    _drop(world, csv="pairs: []\n", name="boundaries.yaml")
    _drop(world, csv="x", name="notes.txt")
    assert 0 == world.run()
    [job] = _corrections(world)
    assert (State.DONE, True) == (job.state, asks(job, world.settings))
    assert ["boundaries.yaml"] == world.names("models", "a", "done", job.id)
    assert _request(world, job.id)["csv"].endswith("boundaries.yaml")
    assert ["notes.txt"] == world.names("models", "a", "corrections")


def test_without_a_journal_boundary_answers_are_known_from_their_folder(world, model):
    """As corrections are."""
    _drop(world, csv="pairs: []\ncrash\n", name="boundaries.yaml")
    world.run()
    [job] = _corrections(world)
    found = {one.id: one for one in rebuild_finished_jobs.finished_jobs(world.settings)}
    assert ("boundaries.yaml", State.FAILED) == (found[job.id].csv_name, found[job.id].state)
