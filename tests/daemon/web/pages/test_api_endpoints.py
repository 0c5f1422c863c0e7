"""What programs read: health, metrics, status."""

from __future__ import annotations

import re

from daemon.inbox.pairing import Waiting
from daemon.journal.job_record import State
from daemon.limits.daily_spend import Purse


def test_health_is_200_when_all_is_well(stage):
    """Nothing to report."""
    answer = stage.open().get("/healthz")
    assert (200, {"healthy": True, "problems": []}) == (answer.status_code, answer.json())


def test_health_is_503_with_the_reasons(stage):
    """A loop that no longer looks at the folders, a disk that is nearly full; the overview says so too."""
    jobs = stage.settings.jobs.model_copy(update={"min_free_disk_mb": 10**9})
    stage.settings = stage.settings.model_copy(update={"jobs": jobs})
    visitor = stage.open()
    stage.journal.beat(1, {"scan_age_seconds": 1000.0})
    answer = visitor.get("/healthz")
    assert 503 == answer.status_code
    scan, disk = answer.json()["problems"]
    assert "the folders were last looked at 1000 seconds ago" in scan
    assert "MB of disk are free (jobs.min_free_disk_mb)" in disk
    assert "the service has a problem" in visitor.get("/").text


def test_metrics_are_in_prometheus_text_format(stage):
    """Each line is a comment or a sample; every sample's metric has help and type, once."""
    job = stage.job('a"b\\c\n'.strip(), id="j1", state=State.TRAINING, stage="training", done=3, total=9)
    stage.waiting = (Waiting("x.csv", "waits"),)
    Purse(stage.journal, stage.clock).book_spend(job.id, 0.25)
    answer = stage.open().get("/metrics")
    assert "text/plain; version=0.0.4; charset=utf-8" == answer.headers["content-type"]
    assert answer.text.endswith("\n")
    declared, samples = [], {}
    for line in answer.text.splitlines():
        if line.startswith("# TYPE "):
            declared.append(line.split()[2])
        elif not line.startswith("# HELP "):
            found = re.fullmatch(r'([a-z_]+)(\{(?:[a-z]+="(?:[^"\\\n]|\\[\\n"])*",?)+\})? (\S+)', line)
            assert found is not None, line
            assert found[1] in declared
            samples[found[1] + (found[2] or "")] = float(found[3])
    assert len(declared) == len(set(declared))
    assert 1.0 == samples['freeal_jobs{state="training"}']
    assert 0.0 == samples['freeal_jobs{state="failed"}']
    assert 3.0 == samples['freeal_job_steps_done{job="j1",model="a\\"b\\\\c",stage="training"}']
    assert 0.25 == samples["freeal_spent_usd_total"] == samples["freeal_spent_today_usd"]
    assert 1.0 == samples["freeal_waiting_files"] == samples["freeal_healthy"]
    assert samples["process_resident_memory_bytes"] > 1_000_000


def test_status_is_what_the_command_prints(stage):
    """The same keys as `status --json`."""
    stage.job()
    content = stage.open().get("/api/status").json()
    assert ["reviews"] == [job["model"] for job in content["jobs"]]
    assert {"healthy", "waiting", "models", "spent_today_usd"} <= set(content)


def test_programs_are_told_errors_as_json(stage):
    """Not as a page."""
    assert {"error"} == set(stage.open().get("/api/nothing").json())
