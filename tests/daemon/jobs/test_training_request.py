"""What a training job's process is told about the version before, and after a fault."""

from __future__ import annotations

import pytest

from daemon.jobs.training_request import training_request
from daemon.journal.job_record import Job
from daemon.outbox.model_shelf import Shelf
from freeal.job.training_job import TrainingJob
from freeal.spec.job_spec import Spec


def _told(settings, tmp_path, **fields):
    spec = Spec(name="reviews", description="d", labels=["a", "b"], student={"batch_size": 24})
    job = Job(
        id="job-9",
        name="reviews",
        key="k",
        csv_name="r.csv",
        spec_name="r.yaml",
        created_at=1.0,
        updated_at=1.0,
        **fields,
    )
    request = training_request(job, spec, settings, key_folder=tmp_path, budget_usd=None)
    return TrainingJob.model_validate_json(request)


@pytest.fixture
def previous(settings, tmp_path):
    """The `previous_model` a job of the model `reviews` is told, as its process reads it."""
    return lambda: _told(settings, tmp_path).previous_model


@pytest.mark.parametrize(("setbacks", "most"), [("", None), ("died silent", None), ("died memory", 12)])
def test_after_a_kill_for_want_of_memory_half_the_batch_is_computed_at_once(settings, tmp_path, setbacks, most):
    """Half of what the job's own spec says; after other faults nothing changes."""
    assert most == _told(settings, tmp_path, setbacks=setbacks).most_at_once


def _publish(settings, tmp_path, job_id, name="reviews"):
    output = tmp_path / f"output-{job_id}"
    (output / "model").mkdir(parents=True)
    (output / "model" / "config.json").write_text(job_id)
    (output / "annotated.csv").write_text("text\n")
    Shelf(settings.models, name).publish_version(output, job_id=job_id, stem="r", keep_versions=5)


def test_the_first_job_has_no_version_before_it(previous, settings, tmp_path):
    """Without a published version, and beside another model's, there is none to go on from."""
    assert previous() is None
    _publish(settings, tmp_path, "job-1", name="others")
    assert previous() is None


def test_the_newest_version_is_the_one_before(previous, settings, tmp_path):
    """The folder is that version's own, which does not move when a newer one is published while the job runs."""
    for job_id in ("job-1", "job-2"):
        _publish(settings, tmp_path, job_id)
        folder = previous()
        assert settings.models / "reviews" / "versions" / job_id / "model" == folder
        assert job_id == (folder / "config.json").read_text()
