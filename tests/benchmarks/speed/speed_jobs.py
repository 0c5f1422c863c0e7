"""Whole jobs by stage: seconds by the clock and of the processor, and memory at the peak of each.

As a script (`speed_jobs.py CSV SPEC FOLDER CACHE`) it runs one job in this process and prints JSON. Stages are
functions: what runs inside of one that is listed as well counts for the inner one.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "shared"))

import place

STAGES = {
    "reading, checks": [("freeal.job.pool_of_job", "read_job_table")],
    "loading models": [
        ("freeal.llm.local.local_model", "locate_local_weights"),
        ("freeal.llm.local.local_model", "read_local_weights"),
        ("freeal.llm.local.local_model", "folder_digest"),
        ("freeal.job.trainer_of_job", "trainer_for"),
        ("freeal.student.untrained_encoder", "UntrainedEncoder.fresh_encoder"),
    ],
    "language model": [("freeal.llm.local.label_scoring", "Scorer.score_labels")],
    "prompts as tokens": [("freeal.llm.local.prompt_tokens", "Fitter.fit_prompts")],
    "answer store": [("freeal.annotation.usable_reply", "KnownReplies.usable_replies_among")],
    "embeddings": [("freeal.student.encoder.feature_cache", "FeatureCache.features")],
    "linear heads": [
        ("freeal.student.training.linear_probe", "fit_probe"),
        ("freeal.student.training.linear_probe", "fit_soft_probe"),
    ],
    "voices weighed": [("freeal.aggregation.label_posterior", "label_posterior")],
    "fine-tuning": [("freeal.student.training.robust_training", "RobustTraining.run")],
    "scoring the pool": [("freeal.student.encoder.encoder", "Encoder.score")],
    "demonstrations chosen": [("freeal.selection.demonstration_selection", "representatives")],
    "rounds on disk": [
        ("freeal.loop.round_store", "RoundStore.save_round"),
        ("freeal.loop.round_store", "RoundStore.load_round"),
    ],
    "files written": [("freeal.job.write_output_folder", "write_output_folder")],
}
OTHER, IMPORTS = "all else", "imports"
_WATCH_SECONDS = 0.02


@dataclasses.dataclass
class Spent:
    """A stage's seconds and the resident memory of the process at its peak, MiB."""

    clock: float = 0.0
    processor: float = 0.0
    mib: float = 0.0


class Watch:
    """Who is at work, how long, with how much memory. One stage at a time: a job computes in one thread at a time."""

    def __init__(self) -> None:
        self.spent: dict[str, Spent] = {}
        self._open: list[str] = [OTHER]
        self._since = (time.perf_counter(), time.process_time())
        threading.Thread(target=self._look, daemon=True).start()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """What runs inside is this stage's."""
        self.settle()
        self._open.append(name)
        try:
            yield
        finally:
            self.settle()
            self._open.pop()

    def settle(self) -> None:
        """Put what was spent since the last time down to the stage under way."""
        now = (time.perf_counter(), time.process_time())
        spent = self.spent.setdefault(self._open[-1], Spent())
        spent.clock += now[0] - self._since[0]
        spent.processor += now[1] - self._since[1]
        self._since = now

    def wrap(self, stage: str, module: str, path: str) -> None:
        """Have a function or method count as the stage."""
        owner: Any = importlib.import_module(module)
        *classes, name = path.split(".")
        for one in classes:
            owner = getattr(owner, one)
        found = inspect.getattr_static(owner, name)
        work: Callable[..., Any] = getattr(found, "__func__", found)

        @functools.wraps(work)
        def counted(*args: Any, **kwargs: Any) -> Any:
            with self.stage(stage):
                return work(*args, **kwargs)

        setattr(owner, name, type(found)(counted) if found is not work else counted)

    def _look(self) -> None:
        while True:
            pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
            spent = self.spent.setdefault(self._open[-1], Spent())
            spent.mib = max(spent.mib, pages * 4096 / 2**20)
            time.sleep(_WATCH_SECONDS)


def measure(csv: Path, spec: Path, folder: Path, cache: Path) -> dict[str, Any]:
    """One job in a process of its own: `stages` by name, and the accuracy of its labels, in percent."""
    command = [sys.executable, __file__, str(csv), str(spec), str(folder), str(cache)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=place.ROOT)
    if done.returncode:
        raise SystemExit(f"the job failed: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def table(jobs: dict[str, dict[str, Any]]) -> str:
    """Markdown: a line per stage, of each job seconds by the clock, of the processor, and MiB."""
    stages = list(dict.fromkeys(stage for job in jobs.values() for stage in job["stages"]))
    stages.sort(key=lambda stage: -max(job["stages"].get(stage, {"clock": 0.0})["clock"] for job in jobs.values()))
    lines = [
        f"| stage | {' | '.join(f'{name}: clock s | processor s | MiB' for name in jobs)} |",
        f"| --- |{' ---: | ---: | ---: |' * len(jobs)}",
    ]
    lines += [
        f"| {stage} | {' | '.join(_cells(job['stages'].get(stage)) for job in jobs.values())} |" for stage in stages
    ]
    lines.append(f"| **all** | {' | '.join(_total(job['stages']) for job in jobs.values())} |")
    told = "; ".join(f"{name} {job['accuracy']:.1f} % of the labels right" for name, job in jobs.items())
    return "\n".join([*lines, "", f"{told}."])


def _cells(spent: dict[str, float] | None) -> str:
    if spent is None:
        return " | | "
    return f"{spent['clock']:.1f} | {spent['processor']:.1f} | {spent['mib']:,.0f}"


def _total(stages: dict[str, dict[str, float]]) -> str:
    clock, processor = (sum(one[key] for one in stages.values()) for key in ("clock", "processor"))
    return f"{clock:.1f} | {processor:.1f} | {max(one['mib'] for one in stages.values()):,.0f}"


def main(arguments: Sequence[str]) -> None:
    """One job, watched."""
    csv, spec, folder, cache = map(Path, arguments)
    watch = Watch()
    with watch.stage(IMPORTS):
        import anyio

        from freeal.job import run_training_job, training_job
        from freeal.settings import LlmSettings
        from freeal.spec import job_spec

        for stage, functions in STAGES.items():
            for module, path in functions:
                watch.wrap(stage, module, path)
    job = training_job.TrainingJob(
        job_id="speed-1",
        csv=csv,
        spec=job_spec.load(spec),
        output=folder / "out",
        work=folder / "work",
        answers=folder / "answers.sqlite",
        cache=cache,
        key_folder=folder,
        llm=LlmSettings(provider="local"),
    )
    job.output.mkdir(parents=True)
    done = anyio.run(functools.partial(run_training_job.train, job, environ={}))
    watch.settle()
    stages = {name: dataclasses.asdict(spent) for name, spent in watch.spent.items()}
    accuracy = 100.0 * done.metrics["final"].get("accuracy", float("nan"))
    sys.stdout.write("\n" + json.dumps({"stages": stages, "accuracy": accuracy}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
