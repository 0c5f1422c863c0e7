"""A planted key, and every place it could have leaked to."""

from __future__ import annotations

import json

import pytest

from freeal.testing.server import MessagesServer

pytestmark = pytest.mark.timeout(600)

KEYS = {"ANTHROPIC_API_KEY": "sk-ant-planted-a1b2c3d4e5f6", "OPENAI_API_KEY": "sk-planted-openai-0f9e8d7c"}

RECORDER = """\
import json, os, pathlib, sys
_found = sorted(name for name, value in os.environ.items() if "planted" in value)
_entry = {"module": sys.orig_argv[2:3], "holds": _found}
with open(pathlib.Path(__file__).with_name("children.jsonl"), "a") as _stream:
    _stream.write(json.dumps(_entry) + "\\n")
"""
"""A sitecustomize: each Python that starts writes down which planted keys its environment holds."""


@pytest.fixture
def watched(daemon, tmp_path_factory):
    """The program with planted keys; what its processes see is recorded. Gives (daemon, module -> names of keys)."""
    recorder = tmp_path_factory.mktemp("recorder")
    (recorder / "sitecustomize.py").write_text(RECORDER)
    daemon.variables = KEYS | {"PYTHONPATH": str(recorder)}

    def seen():
        lines = (recorder / "children.jsonl").read_text().splitlines()
        entries = [json.loads(line) for line in lines]
        found = {}
        for entry in entries:
            found.setdefault("".join(entry["module"]).rpartition(".")[2], set()).update(entry["holds"])
        return found

    return daemon, seen


def _leaks(daemon, *outputs):
    """Files below the daemon's folder and outputs that hold a part of a planted key."""
    files = [path for path in daemon.folder.rglob("*") if path.is_file()]
    assert len(files) > 3
    return [str(path) for path in files if b"planted" in path.read_bytes()] + [
        text for text in outputs if "planted" in text
    ]


@pytest.mark.slow
def test_no_file_no_line_and_no_other_process_holds_the_key(watched, server):
    """Success, a prediction, a refused key, a dry run, check and status: only the process that annotates is told."""
    daemon, seen = watched
    daemon.drop("good")
    daemon.drop("local", spec=daemon.spec + "llm: {provider: local, model: /no/such/model}\n")
    told = [daemon.run("--dry-run")]
    done = daemon.run("--once")
    assert 1 == done.returncode, done.stderr  # the local job's model does not exist
    assert server.requests
    assert all(KEYS["ANTHROPIC_API_KEY"] in str(request.headers) for request in server.requests)
    (daemon.models / "good" / "predict" / "new.csv").write_text(daemon.rows(4, start=50))
    told += [done, daemon.run("--once"), daemon.run("check"), daemon.run("status", "--json")]
    assert (daemon.models / "good" / "predictions" / "new.csv").is_file()
    outputs = [text for one in told for text in (one.stdout, one.stderr)]
    assert [] == _leaks(daemon, *outputs)
    environments = seen()
    assert set(KEYS) == environments["daemon"]
    assert {"train_job", "predict_worker", "survey", "probe"} <= set(environments)
    assert set() == environments["predict_worker"] | environments["survey"] | environments["probe"]
    assert {"ANTHROPIC_API_KEY"} == environments["train_job"]


@pytest.mark.slow
def test_the_process_of_a_local_job_is_told_of_no_key(watched, server):
    """Alone, so that nobody else's process is recorded."""
    daemon, seen = watched
    daemon.drop("local", spec=daemon.spec + "llm: {provider: local, model: /no/such/model}\n")
    assert 1 == daemon.run("--once").returncode
    assert set() == seen()["train_job"]
    assert [] == server.requests


@pytest.mark.slow
def test_a_refused_key_is_not_quoted(watched):
    """The server says 401: the report, the log and the journal name no part of the key."""
    daemon, _ = watched
    with MessagesServer(answer=lambda _: "positive", key="another") as server:
        path = daemon.folder / "freeal.yaml"
        lines = path.read_text().splitlines()
        lines = [
            f'llm: {{provider: anthropic, base_url: "{server.base_url}"}}' if x.startswith("llm:") else x for x in lines
        ]
        path.write_text("\n".join(lines) + "\n")
        daemon.drop()
        done = daemon.run("--once")
    assert 1 == done.returncode
    assert "AccountError" == json.loads((daemon.only("inbox", "failed") / "error.json").read_text())["kind"]
    assert [] == _leaks(daemon, done.stdout, done.stderr)
