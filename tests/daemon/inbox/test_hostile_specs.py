"""Specs that want more than a job: objects, memory, other files, other people's folders. Each fails with its reason."""

from __future__ import annotations

import json
import os

import pytest

from daemon.journal.job_record import State
from freeal.errors import SpecError
from freeal.spec import yaml_reader
from freeal.spec.examples_file import MOST_BYTES

GOOD = "description: x\nlabels: [good, bad]\n"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)

CONTENTS = {
    "aliases that grow": (BOMB, "anchor"),
    "a character beyond all": ('name: "\\UFFFFFFFF"\n' + GOOD, "gave up"),
    "a version of too many digits": (f"%YAML 1.{'9' * 5000}\n---\n" + GOOD, "gave up"),
    "an object": ("description: !!python/object/apply:os.system ['touch pwned']\n", "tag"),
    "an object by another handle": (
        "%TAG ! tag:yaml.org,2002:python/\n---\nname: !object/apply:os.system [x]\n",
        "tag",
    ),
    "a number no computer reads": (f"name: !!int {'1' * 5000}\n", "tag"),
    "a truth value that is none": ("force: !!bool maybe\n", "tag"),
    "a day that is none": ("name: !!timestamp 9999-99-99\n", "tag"),
    "brackets without end": (GOOD + "examples: " + "[" * 100_000, "nested"),
    "brackets with an end": (GOOD + "examples: " + "[" * 5_000 + "]" * 5_000, "nested"),
    "a NUL byte": (GOOD + "name: a\0b\n", "'\\x00'"),
    "half a character": (GOOD + 'name: "\\ud800"\n', "surrogate"),
    "a name that stands twice": (GOOD + "description: y\n", "twice"),
    "more than is read": (GOOD + "#" * yaml_reader.MAX_BYTES, "longer than"),
    "bytes that are no text": (GOOD.encode() + b"name: \xff\xfe\n", "not UTF-8"),
    "a key that is a list": ("? [a, b]\n: c\n", "place of a key"),
    "no mapping": ("- a\n", "mapping"),
    "two documents": (GOOD + "---\n" + GOOD, "another document"),
    "a name that climbs": (GOOD + "name: ../../etc\n", "letters, digits"),
    "an absolute name": (GOOD + "name: /etc/passwd\n", "letters, digits"),
    "a name of dots": (GOOD + "name: '..'\n", "letters, digits"),
    "a hidden name": (GOOD + "name: .model\n", "letters, digits"),
    "a name that is an option": (GOOD + "name: -rf\n", "letters, digits"),
    "a name with a line break": (GOOD + 'name: "a\\nb"\n', "letters, digits"),
    "a name with a line break at its end": (GOOD + 'name: "a\\n"\n', "letters, digits"),
    "a device's name": (GOOD + "name: con\n", "Windows"),
    "a device's name with an ending": (GOOD + "name: AUX.reviews\n", "Windows"),
    "a name whose dot gets lost": (GOOD + "name: reviews.\n", "Windows"),
    "examples from above": (GOOD + "examples: ../secret.json\n", "plain name"),
    "examples from anywhere": (GOOD + "examples: /etc/passwd\n", "plain name"),
    "examples by a dot": (GOOD + "examples: '..'\n", "examples"),
    "examples from a device": (GOOD + "examples: link.json\n", "symbolic link"),
    "an address": (GOOD + "llm: {base_url: 'http://evil'}\n", "unknown key"),
    "a key to nowhere": (GOOD + "output: /etc\n", "unknown key"),
}


@pytest.mark.parametrize(("content", "said"), CONTENTS.values(), ids=list(CONTENTS))
def test_a_hostile_spec_fails_its_job_with_the_reason(world, content, said):
    """Both files are in failed/ with ERROR.txt, nothing lies elsewhere, and the service went on to the good pair."""
    (world.root / "secret.json").write_text('[["the secret", "good"]]')
    (world.settings.inbox / "link.json").symlink_to(world.root / "secret.json")
    (world.settings.inbox / "a.csv").write_text("text\nfine\n")
    (world.settings.inbox / "a.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    world.drop("good")
    assert 1 == world.run()
    states = {job.name: job.state for job in world.jobs()}
    assert {"a": State.FAILED, "good": State.DONE} == states
    [folder] = (world.settings.inbox / "failed").iterdir()
    report = (folder / "ERROR.txt").read_text()
    assert said in report
    assert "a.yaml" in report
    assert "the secret" not in report
    assert {"a.csv", "a.yaml", "ERROR.txt", "error.json"} == {entry.name for entry in folder.iterdir()}
    assert ["good"] == world.names("models")
    assert not (world.root / "pwned").exists()


@pytest.mark.parametrize("name", ["model", "versions", "predict", "done", "a..b", "A" * 64, "1"])
def test_a_name_that_only_looks_dangerous_is_a_name(world, name):
    """Each model has a folder of its own, so the names inside of it collide with none."""
    world.drop("a", spec=f"{GOOD}name: {name}\n")
    assert 0 == world.run()
    assert (world.settings.models / name / "model" / "config.json").is_file()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[" * 200_000, "nested"),
        (b'[["\\ud800", "good"]]', "examples"),
        (b" " * (MOST_BYTES + 1), "longer than"),
        (b"\xff\xff", "UTF-8"),
        (b"{}", "list"),
    ],
)
def test_hostile_examples_fail_their_job_with_the_reason(world, content, said):
    """The file of examples is as little trusted as the spec that names it."""
    (world.settings.inbox / "shots.json").write_bytes(content)
    world.drop("a", spec=GOOD + "examples: shots.json\n")
    assert 1 == world.run()
    [job] = world.jobs()
    assert said in json.dumps(job.error)


@pytest.mark.parametrize("kind", ["pipe", "folder", "link"])
def test_a_settings_file_that_is_none_is_never_waited_for(tmp_path, kind):
    """A pipe or a folder is an error; a link is followed where a person named the file."""
    path = tmp_path / "a.yaml"
    if kind == "link":
        (tmp_path / "b.yaml").write_text("a: b\n")
        path.symlink_to(tmp_path / "b.yaml")
        assert {"a": "b"} == yaml_reader.load(path, SpecError).data
    else:
        (os.mkfifo if kind == "pipe" else os.mkdir)(path)
    for links in ("refuse",) if kind == "link" else ("refuse", "follow"):
        with pytest.raises(SpecError, match="cannot be read"):
            yaml_reader.load(path, SpecError, links=links)
