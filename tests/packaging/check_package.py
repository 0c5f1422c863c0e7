"""The package as others get it: built, installed, and tested from an empty folder without the source tree.

python tests/packaging/check_package.py [--python PATH] [--lowest] [pytest arguments]

A source distribution is made of the checkout, a wheel of that, and the wheel is installed into an environment of its
own; then the tests of the source distribution run beside neither `freeal/` nor `daemon/`. Without `--python` the
dependencies are those of the environment this runs in, so nothing is downloaded. With it they are installed for that
interpreter, as constraints.txt says or, with `--lowest`, in the lowest versions that pyproject.toml allows (by uv;
torch as it is pinned).
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXTRAS = "local,parquet,xlsx,web,onnx"
TESTING = ["hypothesis", "pytest", "pytest-timeout", "pytest-xdist"]
OF_THE_SOURCE = ("tests/test_architecture.py", "tests/docs/test_site.py")
"""Tests that read the source tree, or build the site of a checkout."""


def main() -> int:
    """Build, install, test; pytest's exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", type=Path, metavar="PATH", help="install the dependencies for this interpreter")
    parser.add_argument("--lowest", action="store_true", help="with --python: their lowest versions")
    arguments, for_pytest = parser.parse_known_args()
    with tempfile.TemporaryDirectory(prefix="freeal-package-") as scratch:
        folder = Path(scratch)
        sdist, wheel = build(folder / "dist")
        python = (
            borrowed(folder / "env", wheel)
            if arguments.python is None
            else installed(folder / "env", wheel, python=arguments.python, lowest=arguments.lowest)
        )
        place = unpacked(sdist, folder / "empty")
        return tested(python, place, for_pytest or ["-m", "not slow"])


def build(folder: Path) -> tuple[Path, Path]:
    """The source distribution of the checkout, and the wheel that is built from it."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return next(folder.glob("*.tar.gz")), next(folder.glob("*.whl"))


def borrowed(folder: Path, wheel: Path) -> Path:
    """An environment with the wheel in it, and behind it what this one has installed; its interpreter."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", wheel)
    own = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    theirs = [path for path in sys.path if path.endswith("site-packages") and Path(path) != own]
    (own / "borrowed.pth").write_text("\n".join(theirs) + "\n", encoding="utf-8")
    return python


def installed(folder: Path, wheel: Path, *, python: Path, lowest: bool) -> Path:
    """An environment of another interpreter with the wheel and its dependencies; that interpreter."""
    run(python, "-m", "venv", folder)
    own = folder / "bin" / "python"
    what = [f"freeal-daemon[{EXTRAS}] @ {wheel.as_uri()}", *TESTING]
    if not lowest:
        run(own, "-m", "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt", *what)
        return own
    run(own, "-m", "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt", "torch", "uv")
    of_torch = "import importlib.metadata; print(importlib.metadata.version('torch'))"
    found = subprocess.run([own, "-c", of_torch], check=True, capture_output=True, text=True).stdout
    (folder / "torch.txt").write_text(f"torch=={found}", encoding="utf-8")  # with its +cpu, which uv would not choose
    resolve = ["--resolution", "lowest-direct", "--constraint", folder / "torch.txt"]
    # of pyproject.toml the dependencies are direct ones; of the wheel only the wheel itself would be
    extras = [word for extra in EXTRAS.split(",") for word in ("--extra", extra)]
    run(own, "-m", "uv", "pip", "install", "--python", own, *resolve, "-r", ROOT / "pyproject.toml", *extras)
    run(own, "-m", "uv", "pip", "install", "--python", own, *TESTING)
    run(own, "-m", "uv", "pip", "install", "--python", own, "--no-deps", wheel)
    return own


def unpacked(sdist: Path, folder: Path) -> Path:
    """What the source distribution holds, without the two packages."""
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    [place] = folder.iterdir()
    for package in ("freeal", "daemon", "freeal_daemon.egg-info"):
        shutil.rmtree(place / package, ignore_errors=True)
    return place


def tested(python: Path, place: Path, arguments: list[str]) -> int:
    """Run the tests there; first it is made sure that what they test is the installed package."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    where = "import freeal, daemon; print(freeal.__file__, daemon.__file__)"
    found = subprocess.run(
        [python, "-c", where], cwd=place, env=environment, check=True, capture_output=True, text=True
    ).stdout.split()
    if not all(Path(name).is_relative_to(python.parents[1]) for name in found):
        sys.stderr.write(f"not the installed package: {found}\n")
        return 1
    left_out = [f"--ignore={name}" for name in OF_THE_SOURCE]
    command = [python, "-m", "pytest", *left_out, *arguments]
    return subprocess.run(command, cwd=place, env=environment, check=False).returncode


def run(*command: object) -> None:
    """A command that must succeed."""
    subprocess.run([str(word) for word in command], check=True)


if __name__ == "__main__":
    raise SystemExit(main())
