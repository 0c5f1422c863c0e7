"""A finished pilot becomes a waiting job, wherever a kill may fall, and a word makes it go on."""

from __future__ import annotations

import json

import pytest

from daemon import app
from daemon.config import Settings
from daemon.errors import UnknownJobError
from daemon.host.clock import Clock
from daemon.inbox.claim_pair import Intake
from daemon.jobs.cancel_and_retry import GO, RETRY, Requests, request_go_where_told, write_request
from daemon.jobs.finish_job import PUBLISHING, Endings
from daemon.jobs.training_request import training_request
from daemon.journal import job_json_file
from daemon.journal.job_history import History
from daemon.journal.job_record import Job, State
from daemon.journal.journal import Journal
from daemon.journal.work_folder import Workplace
from daemon.outbox.model_shelf import Shelf
from daemon.processes.message_protocol import Failure
from freeal.spec.job_spec import Spec

SPEC = Spec(name="a", description="d", labels=["x", "y"], pilot=20)


@pytest.fixture
def place(tmp_path):
    """A journal with a job whose pilot has just been written."""
    settings = Settings(inbox=tmp_path / "inbox", models=tmp_path / "models", state=tmp_path / "state")
    app.prepare_folders(settings)
    clock = Clock()
    with Journal(settings.state, clock) as journal:
        job = Job(
            id="a-1", name="a", key="k", csv_name="a.csv", spec_name="a.yaml", state=State.ANNOTATING,
            spec=SPEC.model_dump_json(), created_at=1.0, updated_at=1.0,
        )  # fmt: skip
        journal.add(job)
        output = Workplace(settings, job.id).output
        output.mkdir(parents=True)
        for name in ("pilot.json", "metrics.json"):
            (output / name).write_text("{}")
        yield settings, journal, Endings(settings, journal, clock)


def _publishing(journal):
    return journal.move("a-1", State.PUBLISHING, stage=PUBLISHING)


def test_a_pilot_is_shown_beside_the_model_and_its_job_waits(place):
    """Nothing is published, and what is to be done stands in the reason."""
    settings, journal, endings = place
    job = endings.show_pilot_to_owner(_publishing(journal))
    shelf = Shelf(settings.models, "a")
    assert State.WAITING is job.state
    assert "go a-1" in job.reason
    assert (shelf.pilot("a-1") / "pilot.json").is_file()
    assert not Workplace(settings, "a-1").output.exists()
    assert shelf.current is None


@pytest.mark.parametrize("moved", [False, True], ids=["before the move", "after the move"])
def test_a_kill_in_between_costs_nothing(place, moved):
    """The next start finds the pilot where it is, and the job waits."""
    settings, journal, endings = place
    job = _publishing(journal)
    if moved:
        Shelf(settings.models, "a").show_pilot(Workplace(settings, "a-1").output, job_id="a-1")
    ended = endings.finish_cut_off(job)
    assert ended is not None
    assert State.WAITING is ended.state
    assert (Shelf(settings.models, "a").pilot("a-1") / "pilot.json").is_file()


def test_only_a_word_makes_it_go_on(place):
    """And only once; a retry is another thing."""
    settings, journal, endings = place
    job = endings.show_pilot_to_owner(_publishing(journal))
    with pytest.raises(UnknownJobError, match="is waiting: there is nothing to retry"):
        write_request(journal, job.id, RETRY)
    request_go_where_told([job], journal, settings)
    assert "" == journal.job(job.id).request
    (Shelf(settings.models, "a").pilot(job.id) / "go").touch()
    request_go_where_told([job], journal, settings)
    assert GO == journal.job(job.id).request
    Requests(settings, journal, Intake(settings, journal, Clock()), endings)._retry_or_go(journal.job(job.id))
    job = journal.job(job.id)
    assert (State.CLAIMED, True, "", "") == (job.state, job.past_pilot, job.request, job.reason)
    with pytest.raises(UnknownJobError, match="no pilot of it waits"):
        write_request(journal, job.id, GO)


def test_the_request_says_which_part_is_asked(place):
    """First the pilot's rows, then the rest with the pilot's answers."""
    settings, journal, endings = place

    def request(job):
        said = json.loads(training_request(job, SPEC, settings, key_folder=settings.state, budget_usd=None))
        return said["pilot_rows"], said["pilot"]

    assert (20, None) == request(journal.job("a-1"))
    endings.show_pilot_to_owner(_publishing(journal))
    job = journal.move("a-1", State.CLAIMED, past_pilot=True)
    assert (None, str(Shelf(settings.models, "a").pilot("a-1"))) == request(job)


def test_a_pilot_goes_when_its_job_is_over(place):
    """Cancelled here: its folder beside the model goes too."""
    settings, journal, endings = place
    endings.show_pilot_to_owner(_publishing(journal))
    Shelf(settings.models, "a").discard_pilot("a-1")
    assert not (settings.models / "a" / "pilots").exists()


@pytest.mark.parametrize(("description", "is_kept"), [("d", True), ("something else entirely", False)])
def test_a_pilot_of_another_question_counts_no_more(place, description, is_kept):
    """A spec that was mended before the retry asks its pilot anew; the same one goes on behind it."""
    settings, journal, endings = place
    text = "name: a\ndescription: {}\nlabels: [x, y]\npilot: 20\n"
    endings.show_pilot_to_owner(_publishing(journal))
    work = Workplace(settings, "a-1")
    work.inputs.mkdir(parents=True, exist_ok=True)
    (work.inputs / "a.csv").write_text("text\nq\n")
    (work.inputs / "a.yaml").write_text(text.format("d"))
    job = endings.fail_job(journal.move("a-1", State.CLAIMED, past_pilot=True), Failure("X", "broke"))
    (work.failed / "a.yaml").write_text(text.format(description))
    write_request(journal, job.id, RETRY)
    Requests(settings, journal, Intake(settings, journal, Clock()), endings)._retry_or_go(journal.job(job.id))
    assert (State.CLAIMED, is_kept) == (journal.job(job.id).state, journal.job(job.id).past_pilot)


def test_the_story_begins_anew_behind_the_pilot(place):
    """Its rounds are no rounds of the whole job."""
    settings, journal, endings = place
    History(journal, Clock()).add_entry("a-1", "round", {"round": 1})
    job = endings.show_pilot_to_owner(_publishing(journal))
    write_request(journal, job.id, GO)
    Requests(settings, journal, Intake(settings, journal, Clock()), endings)._retry_or_go(journal.job(job.id))
    with journal.transaction() as connection:
        assert 0 == connection.execute("SELECT COUNT(*) FROM job_events").fetchone()[0]


def test_the_rest_is_no_pilot_when_the_journal_is_lost_before_it_is_published(place):
    """job.json tells that the pilot is over: what lies ready is the whole result."""
    settings, journal, _ = place
    output = Workplace(settings, "a-1").output
    job_json_file.write_job_json(output, journal.move("a-1", State.ANNOTATING, past_pilot=True))
    assert job_json_file.read_job_json(output).past_pilot
