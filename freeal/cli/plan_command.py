"""`python -m freeal plan`: what a table of many rows would take, from a sample of it and this machine's own pace.

python -m freeal plan sample.csv reviews.yaml --rows 100000000 --annotate 200000 --workers 64
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freeal.cli.print_results import add_json, print_json
from freeal.errors import ConfigError, Where

if TYPE_CHECKING:
    from freeal.cost_estimate.measured_job import Measured, Order
    from freeal.cost_estimate.scale_plan import Rates, Stage
    from freeal.job.training_job import TrainingJob

ANNOTATED_AT_MOST = 50_000
"""Rows the language model is planned for where nobody says: more seldom make the student better."""
_GB = 1e9


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command, with `run`."""
    plan = commands.add_parser(
        "plan",
        help="time, calls, dollars, disk and memory for a table of many rows; asks nobody",
        description="Measures two small jobs with rows of a sample on this machine (minutes; nothing is asked or "
        "paid), and says what a table of --rows such rows would take by stage, each figure with what it assumes.",
    )
    plan.set_defaults(run=_plan_table)
    plan.add_argument("csv", type=Path, metavar="CSV", help="a sample of the table, some hundred rows at least")
    plan.add_argument("spec", type=Path, metavar="SPEC", help="the YAML file that says what the labels are")
    plan.add_argument("--rows", type=_count, required=True, metavar="N", help="rows of the whole table")
    plan.add_argument(
        "--annotate",
        type=_count,
        metavar="N",
        help=f"rows for the language model, the student labels the others; default: all, {ANNOTATED_AT_MOST:,} at most",
    )
    plan.add_argument("--workers", type=_count, default=1, metavar="N", help="processes that predict, each as one here")
    plan.add_argument(
        "--rates", type=Path, metavar="FILE", help="what was measured: written there, or read where it is there"
    )
    plan.add_argument(
        "--check", type=_count, nargs="+", metavar="N", help="run jobs of so many rows too, and say how far off it was"
    )
    add_json(plan, "the stages, with `low` and `high` where it is a range")


def _count(text: str) -> int:
    digits = text.replace("_", "").replace(",", "")
    if not digits.isascii() or not digits.isdigit() or int(digits) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of rows: 1 or more is expected")
    return int(digits)


def _plan_table(arguments: argparse.Namespace) -> int:
    import anyio

    from freeal.cost_estimate.job_estimate import estimate_job
    from freeal.cost_estimate.measured_job import Order
    from freeal.cost_estimate.scale_plan import Wanted, plan_stages
    from freeal.job import work_folder
    from freeal.job.training_job import TrainingJob
    from freeal.spec import job_spec

    work = Path.cwd()
    spec = job_spec.load(arguments.spec)
    job = TrainingJob(
        job_id="plan",
        csv=arguments.csv,
        spec=spec,
        output=work,
        work=work,
        answers=work_folder.answers_path(),
        cache=work_folder.answers_path().parent,
        key_folder=work,
    ).effective()
    order = Order(texts=_texts(job), rows=1, spec=spec, student=job.student, loop=job.loop)
    rates = _measured_rates(order, arguments.rates)
    annotate = min(arguments.rows, arguments.annotate or ANNOTATED_AT_MOST)
    # the sample is priced as the whole will be: in batches, if that will be large enough for them
    batch_from_rows = max(1, math.ceil(job.llm.batch_from_rows * len(order.texts) / annotate))
    priced = job.model_copy(update={"llm": job.llm.model_copy(update={"batch_from_rows": batch_from_rows})})
    sample = anyio.run(lambda: estimate_job(priced, environ=os.environ))
    found = plan_stages(
        Wanted(arguments.rows, annotate, arguments.workers, rounds=job.loop.iterations), rates, sample, job.llm
    )
    checks = [_check_plan(order, rates, rows) for rows in arguments.check or ()]
    if arguments.json:
        print_json({"stages": [dataclasses.asdict(stage) for stage in found], "checks": checks})
        return 0
    _print_plan(found)
    for check in checks:
        print(
            f"check at {check['rows']:,} rows: {check['what']} forecast {check['forecast']:.1f}, "
            f"measured {check['measured']:.1f} seconds of the processor: {check['error']:+.0%}"
        )
        for step, one in check["by_step"].items():
            said = f"forecast {one['forecast']:.1f}, measured {one['measured']:.1f}: {one['share']:+.0%} of the whole"
            print(f"    {step}: {said}")
    return 0


def _texts(job: TrainingJob) -> tuple[str, ...]:
    from freeal.preflight import preflight_check

    return preflight_check.read(job.csv, job.spec).pool.texts


def _measured_rates(order: Order, kept: Path | None) -> Rates:
    from freeal.cost_estimate.measured_job import Measured, measure_job
    from freeal.cost_estimate.scale_plan import SIZES, Rates

    if kept is not None and kept.is_file():
        try:
            small, large = (Measured(**one) for one in json.loads(kept.read_text(encoding="utf-8")))
            return Rates.of(small, large)
        except (ValueError, TypeError, KeyError) as cause:
            hint = "name another file: what is measured is written there"
            raise ConfigError(f"holds no rates: {cause}", where=Where(file=kept, key="--rates"), hint=hint) from cause
    found: list[Measured] = []
    for rows in SIZES:
        print(f"measuring a job of {rows:,} rows on this machine", file=sys.stderr)
        found.append(measure_job(order.model_copy(update={"rows": rows})))
    if kept is not None:
        kept.write_text(json.dumps([dataclasses.asdict(one) for one in found]), encoding="utf-8")
    return Rates.of(found[0], found[1])


def _check_plan(order: Order, rates: Rates, rows: int) -> dict[str, Any]:
    from freeal.cost_estimate.measured_job import measure_job

    print(f"running a job of {rows:,} rows to see", file=sys.stderr)
    real = measure_job(order.model_copy(update={"rows": rows}))
    forecast, measured = rates.job_seconds(rows) + rates.prediction_seconds(rows), sum(real.seconds.values())
    return {
        "rows": rows,
        "what": "job and prediction",
        "forecast": forecast,
        "measured": measured,
        "error": forecast / measured - 1.0,
        "by_step": {
            step: {
                "forecast": line.at(rows),
                "measured": real.seconds[step],
                "share": (line.at(rows) - real.seconds[step]) / measured,
            }
            for step, line in rates.seconds.items()
        },
    }


def _print_plan(found: list[Stage]) -> None:
    from freeal.cost_estimate.estimate_figures import duration_range, shown_amount
    from freeal.text.printable_text import visible

    for stage in found:
        parts = [
            f"{stage.rows:,} rows",
            "time unknown for this model" if stage.seconds is None else duration_range(stage.seconds),
            *([f"{shown_amount(stage.calls)} calls"] if stage.calls is not None else []),
            *([f"{stage.usd.low:,.2f} to {stage.usd.high:,.2f} USD"] if stage.usd is not None else []),
            f"disk {stage.disk_bytes / _GB:,.1f} GB",
            f"memory {stage.memory_bytes / _GB:,.1f} GB",
        ]
        print(visible(f"{stage.name}: {', '.join(parts)}\n    {stage.assumes}"))
