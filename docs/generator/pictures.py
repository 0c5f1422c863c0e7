"""Takes the README's two pictures: a report, and the live page while a job is under way.

    python -m docs.generator.pictures --model models/reviews      after `make demo`; wants a Chromium

The model's folder is copied: service and job work in a folder of their own, which is gone afterwards.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "docs" / "pictures"
WIDTH, HEIGHT = 1000, 820
PATIENCE_SECONDS = 300
SPEC = """\
description: Which team should answer this support mail?
labels:
  billing: invoices, payments, refunds, prices, subscriptions
  technical: something in the program or device does not work
  delivery: parcels, shipping, returns, wrong or damaged goods
text_columns: [subject, message]
id_column: ticket
force: true
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Take both pictures; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--chromium", default="chromium", help="the browser")
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "reviews", help="a finished model's folder")
    parser.add_argument("--only", choices=("report", "page"), help="take this one")
    options = parser.parse_args(arguments)
    model = options.model.resolve()
    if not (model / "report.html").is_file():
        print(f"{model} holds no report: run `make demo` first", file=sys.stderr)
        return 1
    if options.only != "page":
        take(options.chromium, (model / "report.html").as_uri(), PICTURES / "report.png")
    if options.only == "report":
        return 0
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), model) as address:
        wait_for_a_job_under_way(address)
        take(options.chromium, address, PICTURES / "page.png")
    return 0


def take(chromium: str, address: str, picture: Path) -> None:
    """The first screen of what lies at an address."""
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += ["--force-color-profile=srgb", f"--window-size={WIDTH},{HEIGHT}", "--timeout=5000"]
    subprocess.run(  # noqa: S603 - the browser the caller named
        [*command, f"--screenshot={picture}", address], check=True, stderr=subprocess.DEVNULL
    )
    print(f"{picture.relative_to(ROOT)}: {picture.stat().st_size:,} bytes")


@contextlib.contextmanager
def serving(folder: Path, model: Path) -> Iterator[str]:
    """The address of a service with a finished model, a job and a file that waits."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    (folder / "inbox").mkdir()
    shutil.copytree(model, folder / "models" / model.name, symlinks=True)
    if (converted := model.parents[1] / ".state" / "cache").is_dir():  # half a minute that is spent already
        shutil.copytree(converted, folder / ".state" / "cache")
    (folder / "freeal.yaml").write_text(
        f"web: {{enabled: true, port: {port}}}\nwatch: {{pair_timeout_seconds: 1}}\nlog: {{level: error}}\n",
        encoding="utf-8",
    )
    samples = ROOT / "inbox" / "samples"
    shutil.copy(samples / "mails.csv", folder / "inbox" / "support.csv")
    (folder / "inbox" / "support.yaml").write_text(SPEC, encoding="utf-8")
    shutil.copy(samples / "new_reviews.csv", folder / "inbox" / "survey.csv")
    service = subprocess.Popen([sys.executable, "-m", "daemon"], cwd=folder)
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        service.terminate()
        service.wait(timeout=PATIENCE_SECONDS)


def wait_for_a_job_under_way(address: str) -> None:
    """Until a job tells how far it is; raises `TimeoutError`."""
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}api/status") as answer:  # noqa: S310
            status = json.load(answer)
            stages = {job["stage"] for job in status["jobs"]}
            if status["waiting"] and stages & {"loading", "annotating", "training"}:
                return
        time.sleep(0.2)
    raise TimeoutError(f"no job is under way at {address}")


if __name__ == "__main__":
    raise SystemExit(main())
