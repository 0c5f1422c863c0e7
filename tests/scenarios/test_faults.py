"""Everything the language model can do wrong, and what becomes of the rows, the job and the exit code.

What one call makes of it stands in tests/freeal/llm/providers/test_server_faults.py, a `retry-after` of two minutes
among it.
"""

from __future__ import annotations

import csv
import json
import re
import threading

import pytest

from daemon.host.clock import Clock
from daemon.journal.journal import Journal
from freeal.testing.server import Fault, MessagesServer

_CASE = re.compile(r"\[\[(.*?)\]\]")
EXAMPLES = "examples: [[a good start, positive], [a bad start, negative]]\n"

PASSING = (
    "429",
    "500",
    "502",
    "504",
    "529",
    "reset",
    "hang",
    "slow",
    "drip",
    "empty body",
    "truncated json",
    "not json",
    "200 overloaded",
)
LOST = {"reset", "slow", "drip", "empty body", "truncated json", "not json"}
"""Of these: generated, and billed, but never read."""
FINAL = ("400", "413")
UNUSABLE = {
    "refusal": "refused",
    "max_tokens": "invalid_answer",
    "outside the set": "invalid_answer",
    "other language": "invalid_answer",
}
MEANT = {"refusal", "max_tokens"}
"""Of these: another wording would change nothing, so they are not asked again (the latter ends below our limit)."""

USABLE = ("sentence", "wrong case")
SECONDS = {"429": 1.0, "slow": 60.0, "drip": 0.5}

ROWS = {
    **{f"{kind} always": ("api_error", 2) for kind in PASSING},
    **{f"{kind} once": ("ok", 2) for kind in PASSING},
    **{f"{kind} always": ("api_error", 1) for kind in FINAL},
    **{f"{kind} always": (status, 1 if kind in MEANT else 2) for kind, status in UNUSABLE.items()},
    **{f"{kind} once": (status, 1) if kind in MEANT else ("ok", 2) for kind, status in UNUSABLE.items()},
    **{f"{kind} always": ("ok", 1) for kind in USABLE},
}
"""What happens to one row of a job -> its status and how often it is asked; `max_attempts` is 2."""


_PAUSED = ("paused", False, None)
_OUT_OF_MONEY = ("paused", True, None)
JOBS = {
    0: dict.fromkeys((*USABLE, "400 effort"), ("done", False, None)),
    1: {
        **dict.fromkeys(PASSING, _PAUSED),
        **dict.fromkeys(FINAL, ("failed", False, "RowRejectedError")),
        **dict.fromkeys(("401", "403", "404"), ("failed", False, "AccountError")),
        **dict.fromkeys(UNUSABLE, ("failed", False, "TrainingError")),
    },
    3: dict.fromkeys(("402", "400 credit", "400 usage limit", "429 without retry-after", "spend cap"), _OUT_OF_MONEY),
}
"""Exit code -> what happens to every request of a job -> state of the job, for want of money, kind in error.json."""


class Script:
    """Which request meets which fault: by the last `[[kind always]]` or `[[kind once]]` in its text."""

    def __init__(self):
        self.calls = {}
        self.healthy = False
        self.healthy_calls = 0
        self._lock = threading.Lock()

    def fault_for(self, body):
        """For the server."""
        text = "".join(block["text"] for block in body["messages"][-1]["content"])
        case = (_CASE.findall(text) or [""])[-1]
        with self._lock:
            self.calls[case] = self.calls.get(case, 0) + 1
            kind, _, often = case.rpartition(" ")
            self.healthy_calls -= 1
            if self.healthy or self.healthy_calls >= 0 or not kind or (often == "once" and self.calls[case] > 1):
                return None
        if kind == "400 effort" and "effort" not in body["output_config"]:
            return None
        return Fault(kind, SECONDS.get(kind, 0.0))


def verdict(text):
    return "positive" if "good" in text else "negative"


@pytest.fixture
def script():
    """What goes wrong."""
    return Script()


@pytest.fixture
def server(script):
    """A language model that does."""
    with MessagesServer(verdict, fault_for=script.fault_for) as running:
        yield running


@pytest.fixture
def daemon(daemon):
    """The program, with two tries of two seconds per call."""
    settings = daemon.folder / "freeal.yaml"
    text = settings.read_text().replace("llm: {", "llm: {max_attempts: 2, timeout_seconds: 2, concurrency: 16, ")
    settings.write_text(text + "jobs: {parallel: 2}\n")
    return daemon


def job_state(daemon, name):
    """The one job of a model in the journal."""
    with Journal(daemon.folder / ".state", Clock()) as journal:
        [job] = [job for job in journal.jobs() if job.name == name]
    return job


def annotated(daemon, name):
    with (daemon.models / name / "annotated" / f"{name}.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def rows_of(cases):
    """A CSV: each case a row, between rows that nothing happens to."""
    lines = ["id,text,truth"]
    for number, case in enumerate(cases):
        lines.append(f"{2 * number},a good thing number {number} [[{case}]],positive")
        lines.append(f"{2 * number + 1},a bad thing number {number},negative")
    return "\n".join(lines) + "\n"


def spec_of(daemon, case=""):
    description = f"Is the customer satisfied? [[{case} always]]" if case else "Is the customer satisfied?"
    return daemon.spec.replace("Is the customer satisfied?", f'"{description}"') + EXAMPLES


def test_a_row_that_gets_no_answer_costs_its_job_nothing_else(daemon, server, script):
    """Each row has its own status and number of calls; every row is in the result; the job is done, exit 0.

    Run again with the server in order, only what was never answered is asked again.
    """
    daemon.drop(csv=rows_of(ROWS), spec=spec_of(daemon))
    done = daemon.run("--once")
    assert 0 == done.returncode, done.stderr
    assert "done" == job_state(daemon, "reviews").state
    rows = annotated(daemon, "reviews")
    assert [str(number) for number in range(2 * len(ROWS))] == [row["id"] for row in rows]
    outcome = {case: (row["freeal_status"], script.calls[case]) for case, row in zip(ROWS, rows[::2], strict=True)}
    assert outcome == ROWS
    assert {"ok"} == {row["freeal_status"] for row in rows[1::2]}
    assert {"positive", "negative"} == {row["freeal_label"] for row in rows}
    cost = json.loads((daemon.only("models", "reviews", "versions") / "cost.json").read_text())
    assert server.billed.calls == cost["calls"] + 3 * len(LOST), "two tries of the one row, the first of the other"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_only_what_was_never_answered_is_asked_again(daemon, server, script):
    """The same job once more with the server in order: odd answers were paid for and are kept, errors were not."""
    daemon.drop(csv=rows_of(ROWS), spec=spec_of(daemon))
    assert 0 == daemon.run("--once").returncode
    script.healthy = True
    asked = len(server.requests)
    unanswered = [case for case, (status, _) in ROWS.items() if status == "api_error"]
    daemon.drop(csv=rows_of(ROWS), spec=spec_of(daemon) + "force: true\n")
    again = daemon.run("--once")
    assert (0, len(unanswered)) == (again.returncode, len(server.requests) - asked), again.stderr
    still = {case: status for case, (status, _) in ROWS.items() if status in UNUSABLE.values()}
    assert still == {
        case: row["freeal_status"]
        for case, row in zip(ROWS, annotated(daemon, "reviews")[::2], strict=True)
        if row["freeal_status"] != "ok"
    }


def outcome(daemon, name):
    """State, whether money is what is missing, and the class of the error in failed/."""
    job = job_state(daemon, name)
    reports = list((daemon.inbox / "failed").glob(f"{name}-*/error.json"))
    return job.state, job.partial, json.loads(reports[0].read_text())["kind"] if reports else None


@pytest.mark.slow
def test_a_fault_of_every_request_decides_its_job_and_no_other(daemon):
    """A wrong key or a refused request fails the job, an outage pauses it; each in a folder of its own; exit 1."""
    cases = {case: JOBS[1][case] for case in ("401", "400", "500")}
    for case in cases:
        daemon.drop(f"case-{case}", csv=daemon.rows(2), spec=spec_of(daemon, case))
    done = daemon.run("--once")
    assert 1 == done.returncode, done.stderr
    assert cases == {case: outcome(daemon, f"case-{case}") for case in cases}


@pytest.mark.slow
@pytest.mark.parametrize(("code", "case"), [(code, case) for code, cases in JOBS.items() for case in cases])
def test_each_fault_of_every_request_alone(daemon, server, code, case):
    """Exit code, state of the job and class of its error, after two calls per row at most."""
    daemon.drop(csv=daemon.rows(2), spec=spec_of(daemon, case))
    done = daemon.run("--once")
    assert (code, JOBS[code][case]) == (done.returncode, outcome(daemon, "reviews")), done.stderr
    assert len(server.requests) <= 4


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_with_the_server_in_order_a_retry_finishes_the_job(daemon, server, script):
    """Unusable answers are asked again, too: a server that was mended is heard."""
    for case in ("401", "500", "refusal"):
        daemon.drop(f"case-{case}", csv=daemon.rows(2), spec=spec_of(daemon, case))
    assert 1 == daemon.run("--once").returncode
    script.healthy = True
    asked = len(server.requests)
    for case in ("401", "500", "refusal"):
        assert 0 == daemon.run("retry", job_state(daemon, f"case-{case}").id).returncode
    assert 0 == daemon.run("--once").returncode
    assert ["done"] * 3 == [job_state(daemon, f"case-{case}").state for case in ("401", "500", "refusal")]
    assert 6 == len(server.requests) - asked


@pytest.mark.slow
def test_a_spend_limit_in_the_middle_loses_nothing(daemon, server, script):
    """Exit 3 and paused; once it is raised, `retry` asks only what was not answered before."""
    script.healthy_calls = 5
    daemon.drop(csv=daemon.rows(12), spec=spec_of(daemon, "402"))
    assert 3 == daemon.run("--once").returncode
    answered = server.billed.calls
    assert 5 <= answered < 12
    script.healthy = True
    assert 0 == daemon.run("retry", job_state(daemon, "reviews").id).returncode
    again = daemon.run("--once")
    assert (0, 12) == (again.returncode, server.billed.calls), again.stderr
    assert {"ok"} == {row["freeal_status"] for row in annotated(daemon, "reviews")}
