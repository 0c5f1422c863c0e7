"""The fault matrix: each unit's code is made to raise at its steps; the others' work goes on, and so does a restart."""

from __future__ import annotations

import ast
import importlib.util
import os
import shutil
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest

import daemon
from daemon.config import JobSettings, Loaded
from daemon.host import early_signals
from daemon.jobs.cancel_and_retry import write_request
from daemon.journal.job_record import State
from daemon.journal.prediction_record import Prediction
from daemon.journal.work_folder import Workplace
from daemon.service.config_reload import Reload

_SPEC = importlib.util.spec_from_file_location("fault_steps", Path(__file__).with_name("fault_steps.py"))
fault_steps = importlib.util.module_from_spec(_SPEC)
sys.modules["fault_steps"] = fault_steps
_SPEC.loader.exec_module(fault_steps)

FAST = 3
"""Steps of a unit that are tried in the fast part, spread over all of them; the slow part tries each."""
KINDS = list(fault_steps.FAULTS)
CSV = "text\nfine\nawful\n"
NAMES = ("x.csv", "y.csv", "1.csv", "2.csv", "3.csv", "c.csv", "fix.csv", "lonely.csv")


@pytest.fixture(scope="module")
def laden(open_world, tmp_path_factory):
    """A finished model, two pairs, two CSVs to label and one a former daemon left, a correction, a job that is to be
    cancelled, a CSV without a spec, and settings that have changed. Each cell begins with a copy of that."""
    with open_world(tmp_path_factory.mktemp("laden")) as world:
        _load(world)
        yield world


def _load(world):
    world.settings = world.settings.model_copy(
        update={
            "watch": world.settings.watch.model_copy(update={"pair_timeout_seconds": 0.0}),
            "jobs": world.settings.jobs.model_copy(update={"parallel": 2}),
        }
    )
    world.drop()
    world.run()
    for stem in ("x", "y"):
        world.drop(stem, csv=f"{CSV}{stem}\n")
    for name in ("1.csv", "2.csv"):
        world.drop_to_predict(f"text\n{name}\n", name=name)
    (world.settings.models / "a" / "corrections" / "fix.csv").write_text("text,freeal_corrected\nfine,bad\n")
    (world.settings.inbox / "lonely.csv").write_text(CSV)
    _left_behind(world)
    world.reload = Reload(lambda: Loaded(world.settings.model_copy(update={"jobs": JobSettings()}), world.root, {}))
    shutil.copytree(world.root, world.root.with_name("laden"), symlinks=True)


@pytest.fixture(scope="module")
def steps_of(laden):
    """Unit -> the steps that a run passes."""
    _again(laden)
    with fault_steps.Steps() as steps:
        _run(laden)
    return {unit: [step for step, of in steps.seen.items() if of == unit] for unit in fault_steps.UNITS}


def _left_behind(world):
    with world.journal() as journal:
        journal.add_prediction(Prediction(id="p-3", model="a", csv_name="3.csv", created_at=3.0, updated_at=3.0))
        [done] = journal.jobs()
        job = done.__class__(
            id="c-20251122-120000-abcdef",
            name="c",
            key="",
            csv_name="c.csv",
            spec_name="c.yaml",
            created_at=1.0,
            updated_at=1.0,
        )
        journal.add(job)
        write_request(journal, job.id, "cancel")
    for owner, name in (("p-3", "3.csv"), (job.id, "c.csv"), (job.id, "c.yaml")):
        inputs = Workplace(world.settings, owner).inputs
        inputs.mkdir(parents=True, exist_ok=True)
        (inputs / name).write_text(CSV)


def _again(world):
    shutil.rmtree(world.root)
    shutil.copytree(world.root.with_name("laden"), world.root, symlinks=True)


def _run(world):
    """A run that is told to read its settings again before it listens."""
    early_signals.hold_hangups()
    os.kill(os.getpid(), signal.SIGHUP)
    return world.run()


def _places(world):
    """How often each dropped file lies somewhere, copies in results not counted."""
    found = Counter()
    for place in (world.settings.inbox, world.settings.work, world.settings.models):
        for path in place.rglob("*"):
            if path.name in NAMES and not {"predictions", "annotated", "versions"} & set(path.parts):
                found[path.name] += 1
    return found


def _outcome(world, kind):
    """What a cell left after a restart: `done`, or `failed` with the reason in the journal; raises where it is
    neither."""
    assert dict.fromkeys(NAMES, 1) == dict(_places(world)), "each file lies in exactly one place"
    with world.journal() as journal:
        ended = {job.csv_name: (job.state, job.error) for job in journal.jobs() if job.csv_name != "a.csv"}
        ended |= {one.csv_name: (one.state, one.error) for one in journal.predictions()}
    assert {"x.csv", "y.csv", "fix.csv", "1.csv", "2.csv", "3.csv", "c.csv"} == set(ended)
    assert State.CANCELLED is ended.pop("c.csv")[0]
    failed = {name: error for name, (state, error) in ended.items() if state != "done"}
    if kind in fault_steps.PASSING:
        assert {} == failed, "what passes fails nothing for good"
    assert len(failed) <= 1, f"one fault, one failure: {failed}"
    if not failed:
        return "done"
    [(name, error)] = failed.items()
    assert ended[name][0] == "failed"
    assert error is not None
    assert error["problem"]
    return "failed, with the reason; the rest done"


def _cell(world, step, kind):
    """One run with a fault, and a restart without; what became of it all, or `WRONG` and why."""
    _again(world)
    with fault_steps.Steps(step, fault_steps.FAULTS[kind]) as steps:
        try:
            code = _run(world)
        except Exception as error:  # noqa: BLE001 - that none comes through is what is tested
            return f"WRONG: the service ended with {error!r}"
    if not steps.raised:
        return "not reached"
    try:
        assert {0, 1} >= {code, world.run()}
        return _outcome(world, kind)
    except AssertionError as error:
        return f"WRONG: {str(error).splitlines()[0]}"


def _matrix(world, unit, cells, capsys):
    rows = []
    for step, kind in cells:
        rows.append((step, kind, _cell(world, step, kind)))
        with capsys.disabled():  # the table is what a reader of the test run wants
            print(f"| {unit} | {step.removeprefix('daemon.')} | {kind} | {rows[-1][2]} |", flush=True)  # noqa: T201
    assert [] == [row for row in rows if row[2].startswith("WRONG")]
    assert any(outcome != "not reached" for _, _, outcome in rows)


def test_what_is_no_step_is_a_function_of_the_service():
    """A function that got another name would be taken for a step."""
    defined = set()
    for path in Path(daemon.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for part in ast.walk(tree):
            if isinstance(part, ast.ClassDef):
                defined |= {f"{part.name}.{getattr(one, 'name', '')}" for one in part.body}
        defined |= {getattr(one, "name", "") for one in tree.body}
    assert fault_steps.OF_THE_LOOP <= defined


@pytest.mark.parametrize("unit", fault_steps.UNITS)
def test_a_fault_at_a_step_of_a_unit_ends_that_unit_alone(laden, steps_of, unit, capsys):
    """The service ends by itself and well, everything else is done, and a restart finishes or has told the rest.

    The kinds take turns over all units, so that each of them is met by several.
    """
    every = steps_of[unit]
    steps = every[:: -(-len(every) // FAST)]
    first = FAST * list(fault_steps.UNITS).index(unit)
    cells = [(step, KINDS[(first + number) % len(KINDS)]) for number, step in enumerate(steps)]
    _matrix(laden, unit, cells, capsys)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", fault_steps.FAULTS)
@pytest.mark.parametrize("unit", fault_steps.UNITS)
def test_every_fault_at_every_step_of_a_unit_ends_that_unit_alone(laden, steps_of, unit, kind, capsys):
    """The whole matrix: `pytest -m slow -k every_fault -s`."""
    _matrix(laden, unit, [(step, kind) for step in steps_of[unit]], capsys)
