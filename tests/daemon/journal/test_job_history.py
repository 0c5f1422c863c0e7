"""What a job went through is kept as long as the job, and no longer."""

from __future__ import annotations

from daemon.host.clock import Clock
from daemon.journal.job_history import MOST_ENTRIES, History, entries_of
from daemon.journal.job_record import Job, State
from daemon.journal.journal import Journal


def _entries(journal, job_id):
    with journal.transaction() as connection:
        query = "SELECT at, kind, content FROM job_events WHERE job = ? ORDER BY number"
        return entries_of(connection.execute(query, (job_id,)).fetchall())


def _job(number, **fields):
    times = {"created_at": float(number), "updated_at": float(number)}
    return Job(id=f"a-{number}", name="a", key="", csv_name="a.csv", spec_name="a.yaml", **times, **fields)


def test_entries_come_back_in_order_and_the_oldest_go_first(tmp_path):
    """Of one job; another's are its own."""
    with Journal(tmp_path, Clock()) as journal:
        history = History(journal, Clock(wall=lambda: 7.0))
        history.add_entry("other", "notice", {"message": "mine"})
        for number in range(MOST_ENTRIES + 20):
            history.add_entry("a-1", "notice", {"message": str(number)})
        found = _entries(journal, "a-1")
        assert MOST_ENTRIES == len(found)
        assert ("20", str(MOST_ENTRIES + 19)) == (found[0].content["message"], found[-1].content["message"])
        assert 7.0 == found[0].at
        assert 1 == len(_entries(journal, "other"))


def test_a_job_that_is_struck_out_takes_its_history_along(tmp_path):
    """The journal does not grow for ever."""
    with Journal(tmp_path, Clock()) as journal:
        history = History(journal, Clock())
        for number in range(3):
            journal.add(_job(number, state=State.DONE))
            history.add_entry(f"a-{number}", "notice", {"message": "m"})
        journal.prune(keep=1)
        assert [0, 0, 1] == [len(_entries(journal, f"a-{number}")) for number in range(3)]
