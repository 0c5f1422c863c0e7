"""A retry takes its inputs out of failed/ again (daemon/jobs/cancel_and_retry.py)."""

from __future__ import annotations

import pytest

from daemon.errors import RefusedFileError
from daemon.inbox.claim_pair import load_dropped_spec
from daemon.inbox.pairing import Pair
from daemon.jobs.cancel_and_retry import take_inputs_back
from daemon.journal.work_folder import Workplace
from daemon.processes.message_protocol import Failure
from freeal.spec.job_spec import Spec

CSV = "text\nfine\nawful\n"
SPEC = "description: What the reviewer felt.\nlabels: [good, bad]\n"


def _names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_retry_reads_the_mended_spec(intake, endings, settings, journal, drop):
    """The user mends the file in failed/ and asks again; the inputs go back to work, the report goes away."""
    job, error = intake.claim_pair(Pair("a.csv", "a.yaml"), drop(a_csv=CSV, a_yaml="labels: [good, bad]\n"))
    endings.fail_job(job, Failure.of(error))
    place = Workplace(settings, job.id)
    (place.failed / "a.yaml").write_text(SPEC)
    fields, error = take_inputs_back(journal.job(job.id), settings)
    assert (None, False, ["a.csv", "a.yaml"]) == (error, place.failed.exists(), _names(place.inputs))
    assert Spec.model_validate_json(fields["spec"]) == load_dropped_spec(place.inputs / "a.yaml", csv_name="a.csv")[0]


def test_a_retry_without_its_files_says_so(intake, endings, settings, journal, drop):
    """Somebody emptied failed/."""
    job, _ = intake.claim_pair(Pair("a.csv", "a.yaml"), drop(a_csv=CSV, a_yaml=SPEC))
    endings.fail_job(job, Failure("x", "y"))
    (Workplace(settings, job.id).failed / "a.csv").unlink()
    with pytest.raises(RefusedFileError, match="no longer there"):
        take_inputs_back(journal.job(job.id), settings)
