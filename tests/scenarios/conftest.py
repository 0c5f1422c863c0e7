"""The real program in a folder of its own: `python -m daemon`, a language model on loopback, a tiny encoder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from freeal.testing.server import MessagesServer
from freeal.testing.tiny_encoder import tiny_encoder

WATCH = os.environ.get("FREEAL_TEST_WATCH", "auto")
"""`watch.mode` of the service in every scenario: all of them must end the same whatever watches, `off` included."""

SPEC = """\
description: Is the customer satisfied?
labels: {positive: satisfied, negative: not satisfied}
text_columns: [text]
label_column: truth
"""


def verdict(text):
    """What the language model of these scenarios says of a text."""
    return "positive" if "good" in text else "negative"


def rows(count=24, *, start=0):
    """A CSV: texts that a bag of words can tell apart, an id and the truth."""
    lines = ["id,text,truth"]
    for number in range(start, start + count):
        word = "good" if number % 2 else "bad"
        lines.append(f"{number},a {word} thing number {number},{verdict(word)}")
    return "\n".join(lines) + "\n"


class Daemon:
    """A folder the daemon works in, and the program itself."""

    def __init__(self, folder: Path, settings: str) -> None:
        self.folder = folder
        self.inbox = folder / "inbox"
        self.models = folder / "models"
        self.variables: dict[str, str] = {}
        self.inbox.mkdir()
        (folder / "freeal.yaml").write_text(settings)

    spec = SPEC
    rows = staticmethod(rows)

    def drop(self, stem="reviews", *, csv=None, spec=SPEC):
        (self.inbox / f"{stem}.csv").write_text(self.rows() if csv is None else csv)
        (self.inbox / f"{stem}.yaml").write_text(spec)

    def watch(self, settings):
        """Replace the settings under `watch`."""
        path = self.folder / "freeal.yaml"
        lines = [line for line in path.read_text().splitlines() if not line.startswith("watch:")]
        path.write_text("\n".join([f"watch: {{{settings}}}", *lines]) + "\n")

    def command(self, *arguments):
        return [sys.executable, "-m", "daemon", *arguments]

    @property
    def environment(self):
        return os.environ | {"ANTHROPIC_API_KEY": "sk-ant-test", "PYTHONWARNINGS": "default"} | self.variables

    def run(self, *arguments):
        """Run a command to its end."""
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )

    def start(self, *arguments):
        """Start the service; the caller ends it."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def only(self, *parts):
        """The one entry of a folder."""
        [entry] = self.folder.joinpath(*parts).iterdir()
        return entry


@pytest.fixture(scope="session")
def encoder(tmp_path_factory):
    """A tiny random encoder folder."""
    return tiny_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture
def server():
    """A language model on loopback that tells good from bad."""
    with MessagesServer(answer=verdict) as running:
        yield running


@pytest.fixture
def daemon(tmp_path, server, encoder):
    """The program, set to use both."""
    return Daemon(
        tmp_path,
        f"""\
watch: {{mode: {WATCH}, stability_seconds: 0.2, rescan_seconds: 1}}
llm: {{provider: anthropic, base_url: "{server.base_url}"}}
student: {{model: "{encoder}", mode: frozen}}
loop: {{iterations: 1, shots: 2, demos_per_class: 2}}
""",
    )
