"""`make bench-speed`: how fast training, scoring, the local language model and whole jobs are, and how stages grow.

Each part stands beside what others use, in the same process, in turn, on the same texts and weights; rows are counted
per second of the processor, so that a busy machine counts less. `--part` chooses one. Peers that are not installed
(setfit, sentence-transformers, xllamacpp) are left out.
"""

# ruff: noqa: T201 - a command line prints

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "shared"))

import data_sets
import place
import provenance
import sections
import speed_growth
import speed_jobs
import speed_language_model
import speed_scoring
import speed_training
import yaml

_PACKAGES = ("freeal-daemon", "torch", "transformers", "numpy")
_ABOUT_TRAINING = f"""\
Of FreeAL the whole fit counts (loading, tokenizing, the linear head, calibration), of the Trainer and setfit loading
and `train()`. The share of the matrix peak is six operations per weight of the layers and token, by what large products
reach here. setfit learns from all pairs of {speed_training.SETFIT_ROWS} rows."""
_ABOUT_GROWTH = f"""\
Six labels, texts of 20 words, seconds of the processor. *of a round*: at the largest size, beside a round whose models
take {speed_growth.ROUND_SECONDS_PER_ROW} s of a row."""
_SAMPLES = place.ROOT / "inbox" / "samples"


def _training(given: argparse.Namespace) -> str:
    texts = []
    for data in given.data:
        found, shares = speed_training.measure(
            data,
            given.data_folder,
            rows=given.rows,
            test_rows=given.test_rows,
            epochs=given.epochs,
            seeds=range(given.seeds),
        )
        table = speed_training.table(found, shares, rows=given.rows, epochs=given.epochs)
        head = f"### Training on {data_sets.DATA_SETS[data].title}: {given.rows:,} rows, {given.epochs} epochs"
        texts.append(f"{head}, {given.seeds} seeds\n\n{table}")
    return "\n\n".join([_ABOUT_TRAINING, *texts])


def _scoring(given: argparse.Namespace) -> str:
    texts = []
    for data in given.data:
        once, twice = (
            speed_scoring.measure(data, given.data_folder, rows=given.test_rows, copies=copies, runs=given.runs)
            for copies in (1, 2)
        )
        table = speed_scoring.table(once, rows=given.test_rows, found_twice=twice)
        texts.append(f"### Scoring {data_sets.DATA_SETS[data].title}: {given.test_rows:,} rows\n\n{table}")
    return "\n\n".join(texts)


def _language_model(given: argparse.Namespace) -> str:
    texts = []
    for data in given.data:
        found = speed_language_model.measure(
            data, given.data_folder, rows=given.llm_rows, runs=given.runs, cache=place.STATE / "cache"
        )
        table = speed_language_model.table(found, rows=given.llm_rows)
        texts.append(
            f"### Local language model on {data_sets.DATA_SETS[data].title}: {given.llm_rows} rows, "
            f"{speed_language_model.SHOTS} demonstrations\n\n{table}"
        )
    return "\n\n".join(texts)


def _jobs(given: argparse.Namespace) -> str:
    jobs = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in given.jobs:
            place_of = Path(folder, name)
            place_of.mkdir()
            table, spec = _job(name, given, place_of)
            jobs[name] = speed_jobs.measure(table, spec, place_of, place.STATE / "cache")
    told = f"*sample*: `inbox/samples`; the others: {given.job_rows:,} rows of the data set, settings by default."
    return f"### Whole jobs by stage\n\n{told}\n\n{speed_jobs.table(jobs)}"


def _job(name: str, given: argparse.Namespace, folder: Path) -> tuple[Path, Path]:
    """The CSV and the spec of a job."""
    if name == "sample":
        return _SAMPLES / "reviews.csv", _SAMPLES / "reviews.yaml"
    data_set = data_sets.DATA_SETS[name]
    rows = data_sets.draw(data_set, given.data_folder, split="train", rows=given.job_rows, seed=0)
    columns = [*data_set.text_columns, data_sets.LABEL_COLUMN]
    with (folder / "in.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    spec = {
        "description": data_set.description,
        "labels": dict(data_set.labels),
        "text_columns": list(data_set.text_columns),
        "label_column": data_sets.LABEL_COLUMN,
    }
    (folder / "in.yaml").write_text(yaml.safe_dump(spec, sort_keys=False), encoding="utf-8")
    return folder / "in.csv", folder / "in.yaml"


def _growth(given: argparse.Namespace) -> str:
    table = speed_growth.table(speed_growth.measure(given.sizes))
    return f"### Growth of what is no model\n\n{_ABOUT_GROWTH}\n\n{table}"


PARTS: dict[str, Callable[[argparse.Namespace], str]] = {
    "training": _training,
    "scoring": _scoring,
    "llm": _language_model,
    "jobs": _jobs,
    "growth": _growth,
}
_NEED_DATA = {"training", "scoring", "llm"}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="speed.py", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--part", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--data", nargs="+", choices=list(data_sets.DATA_SETS), default=["mr", "agnews"])
    parser.add_argument("--data-folder", type=Path, default=place.ROOT / ".." / "shared" / "data")
    parser.add_argument("--rows", type=int, default=960, help="trained on")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=3, help="of training, 0 to one less")
    parser.add_argument("--test-rows", type=int, default=1000, help="scored")
    parser.add_argument("--llm-rows", type=int, default=64, help="read by the language model")
    parser.add_argument("--runs", type=int, default=3, help="of scoring and of the language model; the median counts")
    parser.add_argument(
        "--jobs", nargs="+", choices=["sample", *data_sets.DATA_SETS], default=["sample", "mr", "agnews"]
    )
    parser.add_argument("--job-rows", type=int, default=2_000)
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=list(speed_growth.SIZES), help="rows of the growth part"
    )
    parser.add_argument("--write", type=Path, metavar="FILE", help="replace the sections `speed-PART` of this file")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the parts, print them or write them."""
    parser = _parser()
    given = parser.parse_args(arguments)
    missing = [
        data_sets.missing(data_sets.DATA_SETS[name], given.data_folder)
        for name in (given.data if _NEED_DATA.intersection(given.part) else [])
    ]
    if any(missing):
        print("\n".join(filter(None, missing)))
        return 0
    for part in given.part:
        text = "\n\n".join([_command(part, given, parser), provenance.source(_PACKAGES), PARTS[part](given)])
        if given.write is None:
            print(f"\n{text}", flush=True)
        else:
            sections.replace(given.write, f"speed-{part}", text)
            print(f"wrote {part} to {given.write}", flush=True)
    return 0


def _command(part: str, given: argparse.Namespace, parser: argparse.ArgumentParser) -> str:
    told = argparse.Namespace(**{**vars(given), "part": [part]})
    defaults = vars(parser.parse_args([]))
    changed = [
        f"--{name.replace('_', '-')} {' '.join(map(str, value)) if isinstance(value, list) else value}"
        for name, value in vars(told).items()
        if name not in {"write", "data_folder"} and value != defaults[name]
    ]
    return f'`make bench-speed ARGS="{" ".join(changed)}"`'


if __name__ == "__main__":
    sys.exit(main())
