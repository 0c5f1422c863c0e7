"""The harness of the accuracy benchmark: what is measured, kept, skipped and shown. Only tiny models are trained."""

from __future__ import annotations

import csv
import dataclasses
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "benchmarks" / "shared"))  # scripts: their folder is their path
sys.path.insert(0, str(Path(__file__).parent / "benchmarks" / "accuracy"))
sys.path.insert(0, str(Path(__file__).parent / "benchmarks" / "noisy_labels"))

import accuracy
import handover
import noisy_annotators
import numpy as np
import sections
import tables
import trainer
import voices
from cells import ABSENT, RECORDED, Cell, Selection, plan
from data_sets import DATA_SETS
from measure import measure
from methods import METHODS, TABLES
from place import Folders
from results import Results, seconds_left
from run_loop import CallCount

from freeal.events import Progress
from freeal.settings import LlmSettings, LoopSettings, StudentSettings
from freeal.spec.job_spec import Spec
from freeal.testing.tiny_causal import tiny_causal

CELL = Cell("mr", "freeal", 0, 60, None, "smollm2", "minilm", None, None)


def record_of(cell, *, test=0.8, seconds=10.0, rounds=(), stored=0, **extra_scores):
    """A finished record as `measure` would leave it."""
    return {
        "cell": dataclasses.asdict(cell),
        "overrides": METHODS[cell.method].overrides,
        "status": "done",
        "scores": {"pool_accuracy": 0.75, "test_accuracy": test, "macro_f1": test, **extra_scores},
        "rounds": list(rounds),
        "calls": 0,
        "from_store": stored,
        "seconds": seconds,
    }


def no_origin():
    return {"versions": {"python": "3"}, "machine": "here", "commit": "abc", "date": "2026-01-02T03:04:05+00:00"}


@pytest.fixture
def results(tmp_path):
    return Results(tmp_path / "kept" / "accuracy.jsonl")


@pytest.mark.parametrize("name", sorted(METHODS))
def test_the_settings_of_every_method_exist(name):
    """No method overrides a key that the settings do not have, or with a value they refuse."""
    overrides = dict(METHODS[name].overrides)
    assert set(overrides.pop("spec", {})) <= set(Spec.model_fields)
    sections_of = {"llm": LlmSettings, "student": StudentSettings, "loop": LoopSettings}
    for section, values in overrides.items():
        sections_of[section](**values)


@pytest.mark.parametrize("name", sorted(TABLES))
def test_tables_name_methods_and_data_that_exist(name):
    """Each table's data sets, methods, rows and baseline are known, and what leaves annotations goes first."""
    table = TABLES[name]
    assert set(table.data) <= set(DATA_SETS)
    assert {table.baseline} <= set(table.methods) <= set(METHODS)
    shown = [entry.partition("/") for entry in table.shown]
    assert {method for method, _, _ in shown} <= set(table.methods)
    assert {part for _, _, part in shown} <= set(tables.PARTS)
    if name == "freeal":
        assert table.methods.index(handover.LEFT_BY) < table.methods.index("plain")


def test_a_plan_holds_every_cell_once():
    """The supervised student of MR is trained once for all damages and all language models, FreeAL on MR once for two
    tables."""
    cells = plan(Selection(seeds=(0,), llms=("smollm2", "other")))
    assert len(cells) == len(set(cells))
    assert 1 == sum(cell.data == "mr-recorded" and cell.method == "supervised" for cell in cells)
    assert 0 == sum(cell.data == "mr-damaged20" and cell.method == "supervised" for cell in cells)
    assert 1 == sum(cell.data == "mr" and cell.method == "supervised" for cell in cells)
    assert 2 == sum(cell.data == "mr" and cell.method == "freeal" for cell in cells)


def test_a_cell_holds_only_what_its_method_depends_on():
    """Students on recorded answers know no language model of ours, a question no student."""
    cells = plan(Selection(seeds=(0,), iterations=2))
    assert {RECORDED} == {cell.llm for cell in cells if cell.data == "mr-damaged30"}
    assert {8} == {cell.epochs for cell in cells if cell.data == "mr-damaged30"}
    assert {(ABSENT, None)} == {(cell.student, cell.iterations) for cell in cells if cell.method == "zero_shot_raw"}
    assert {2} == {cell.iterations for cell in cells if cell.method == "freeal"}


def test_the_key_changes_with_every_field():
    """Cells that differ in anything are different measurements."""
    others = [
        dataclasses.replace(CELL, data="cr"),
        dataclasses.replace(CELL, method="plain"),
        dataclasses.replace(CELL, seed=1),
        dataclasses.replace(CELL, rows=None),
        dataclasses.replace(CELL, test_rows=10),
        dataclasses.replace(CELL, llm="other"),
        dataclasses.replace(CELL, student="other"),
        dataclasses.replace(CELL, epochs=8),
        dataclasses.replace(CELL, iterations=1),
    ]
    assert len(others) == len(dataclasses.fields(CELL))
    assert 1 + len(others) == len({CELL.key, *(cell.key for cell in others)})


def test_done_cells_are_found_again_and_failed_ones_are_not(results):
    """A record read back has the key of its cell; a failure, or another method behind the name, is no result."""
    other = dataclasses.replace(CELL, method="without_mixup")
    results.append(record_of(CELL, test=0.7))
    results.append(record_of(CELL, test=0.9))
    results.append({**record_of(dataclasses.replace(CELL, seed=1)), "status": "failed"})
    results.append({**record_of(other), "overrides": {"student": {"mixup": True}}})
    latest = results.latest()
    assert CELL.key in latest
    assert other.key not in latest
    assert 0.9 == latest[CELL.key]["scores"]["test_accuracy"]
    assert 2 == len(latest)


def test_a_record_cut_off_by_a_kill_costs_only_itself(results):
    """Half a last line is not read, and the next record does not join it."""
    results.append(record_of(CELL))
    with results.file.open("a", encoding="utf-8") as stream:
        stream.write('{"cell": {"da')
    assert 1 == len(results.records())
    results.append(record_of(dataclasses.replace(CELL, seed=1)))
    assert [0, 1] == [record["cell"]["seed"] for record in results.records()]


def test_damage_elsewhere_in_the_records_is_an_error(results):
    """A line in the middle that is no record is named, not skipped."""
    results.append(record_of(CELL))
    results.file.write_text("nonsense\n" + results.file.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"accuracy\.jsonl, line 1"):
        results.records()


def test_a_failing_cell_is_recorded_and_the_others_go_on(results, capsys):
    """The failure is counted, printed and written down; the cell after it is measured."""
    cells = [CELL, dataclasses.replace(CELL, seed=1)]

    def measure(cell):
        if cell.seed == 0:
            raise ValueError("no such luck")
        return record_of(cell)

    assert 1 == accuracy.run_cells(cells, results, measure, origin=no_origin)
    assert ["failed", "done"] == [record["status"] for record in results.records()]
    assert "ValueError: no such luck" == results.records()[0]["error"]
    assert [cells[1].key] == list(results.latest())
    assert "FAILED: ValueError: no such luck" in capsys.readouterr().out


def test_an_absent_data_folder_is_said_and_is_no_failure(tmp_path, capsys):
    """Where the data is not there the benchmark names the file it misses and exits with 0."""
    arguments = ["--data-folder", str(tmp_path / "absent"), "--results", str(tmp_path / "r.jsonl"), "--data", "trec"]
    assert 0 == accuracy.main(arguments)
    told = capsys.readouterr().out
    assert f"skipped: trec: {tmp_path / 'absent' / 'trec' / 'train.csv'} is not there" in told
    assert "No results yet." in told
    assert not (tmp_path / "r.jsonl").exists()


def test_the_list_says_what_is_done(results, capsys):
    """`--list` shows each cell of the selection, done ones as done, and how long the rest may take."""
    results.append(record_of(CELL, seconds=60.0))
    chosen = ["--table", "freeal", "--data", "mr", "--methods", "freeal", "--rows", "60", "--seeds", "0,1"]
    assert 0 == accuracy.main([*chosen, "--results", str(results.file), "--list"])
    lines = capsys.readouterr().out.splitlines()
    assert ["done", "-"] == [line.split()[0] for line in lines[:2]]
    assert "1 cells to go, about 1 minutes" == lines[2]


@pytest.mark.parametrize("flag", ["--table", "--data", "--methods", "--seeds", "--rows"])
def test_a_name_that_is_unknown_is_refused(flag):
    """A slip in a selection is a usage error, not an empty table."""
    with pytest.raises(SystemExit) as stopped:
        accuracy.main([flag, "nothing"])
    assert 2 == stopped.value.code


def test_time_left_is_scaled_from_like_cells():
    """Cells of the same data and method count by their rows, others of the method as they come, unknown ones apart."""
    done = [record_of(CELL, seconds=10.0), record_of(dataclasses.replace(CELL, data="cr"), seconds=30.0)]
    assert (20.0, 0) == seconds_left([dataclasses.replace(CELL, seed=1, rows=120)], done)
    assert (20.0, 0) == seconds_left([dataclasses.replace(CELL, data="trec")], done)
    assert (0.0, 1) == seconds_left([dataclasses.replace(CELL, method="plain")], done)


def test_annotations_are_handed_over_for_the_same_texts_only(tmp_path):
    """`plain` finds what `freeal` left, is told when there is nothing, and refuses labels of other texts."""
    plain = dataclasses.replace(CELL, method="plain")
    with pytest.raises(handover.NothingLeftError, match="run it first"):
        handover.load(tmp_path, plain, texts=["a", "b"])
    handover.save(tmp_path, CELL, texts=["a", "b"], labels=["positive", None])
    assert ["positive", None] == handover.load(tmp_path, plain, texts=["a", "b"])
    with pytest.raises(handover.NothingLeftError, match="other texts"):
        handover.load(tmp_path, plain, texts=["b", "a"])


def test_calls_are_counted_whether_stored_or_not():
    """Two annotations of ten texts are twenty calls; what was done at the first report came from the store."""
    count = CallCount()
    for done in (4, 7, 10, 0, 10):
        count(Progress("annotating", 1, done, 10))
    count(Progress("training", 1, 0, 99, "steps"))
    assert (20, 4) == (count.calls, count.from_store)


def test_tables_show_mean_spread_and_difference(results):
    """Two seeds of two methods become a line each, with the difference to the baseline taken seed by seed."""
    selection = Selection(tables=("freeal",), data=("mr",), seeds=(0, 1), rows=60)
    entry = {"llm_accuracy": 0.8, "student_accuracy": 0.7, "test_accuracy": 0.6, "macro_f1": 0.5}
    for seed, plain, freeal in ((0, 0.70, 0.80), (1, 0.72, 0.80)):
        results.append(record_of(dataclasses.replace(CELL, method="plain", seed=seed), test=plain) | no_origin())
        one = record_of(
            dataclasses.replace(CELL, seed=seed), test=freeal, rounds=[entry] * (1 + seed), stored=1, llm_zero_shot=0.6
        )
        results.append(one | no_origin())
    lines = tables.render(selection, results.latest(), command="make it").splitlines()
    cells = {
        line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:-1]] for line in lines if "|" in line
    }
    assert ["n", "pool", "test", "macro-F1", "seconds", "Δ test"] == cells["method"]
    assert ["2", "75.0 ± 0.0", "71.0 ± 1.4", "71.0 ± 1.4", "10", ""] == cells["plain distillation"]
    assert ["2", "75.0 ± 0.0", "80.0 ± 0.0", "80.0 ± 0.0", "10*", "+9.0 ± 1.4"] == cells["FreeAL"]
    assert ["2", "60.0 ± 0.0", "", "", "", ""] == cells["LLM zero-shot"]
    assert ["1", "70.0", "60.0", "50.0", "", "-12.0"] == cells["FreeAL, student of round 2"]
    assert "- machine: here" in lines
    assert "- source: abc, measured 2026-01-02" in lines


def test_another_language_model_is_one_more_column(results):
    """The first language model has the whole table, a second pool and test accuracy beside it."""
    for llm, test in (("smollm2", 0.8), ("gemma3-270m", 0.9)):
        results.append(record_of(dataclasses.replace(CELL, llm=llm), test=test) | no_origin())
    selection = Selection(tables=("freeal",), data=("mr",), seeds=(0,), rows=60, llms=("smollm2", "gemma3-270m"))
    text = tables.render(selection, results.latest(), command="make it")
    assert "| pool / test with gemma3-270m |" in text
    assert "| FreeAL | 1 | 75.0 | 80.0 | 80.0 | 10 |  | 75.0 / 90.0 |" in text


def test_a_section_is_replaced_and_nothing_else(tmp_path):
    """What other benchmarks wrote into the file stays; without its marks the section is added at the end."""
    file = tmp_path / "docs" / "benchmarks.md"
    file.parent.mkdir()
    file.write_text("# Benchmarks\n\nOther things.\n", encoding="utf-8")
    sections.replace(file, "accuracy", "one")
    sections.replace(file, "speed", "fast")
    sections.replace(file, "accuracy", "two")
    assert (
        "# Benchmarks\n\nOther things.\n\n<!-- accuracy:begin -->\n\ntwo\n\n<!-- accuracy:end -->\n\n"
        "<!-- speed:begin -->\n\nfast\n\n<!-- speed:end -->\n"
    ) == file.read_text(encoding="utf-8")


def test_half_a_pair_of_marks_is_refused(tmp_path):
    """A file whose end mark was lost is not overwritten."""
    file = tmp_path / "benchmarks.md"
    file.write_text("<!-- accuracy:begin -->\nold\n", encoding="utf-8")
    with pytest.raises(ValueError, match="must both stand there"):
        sections.replace(file, "accuracy", "new")
    assert "<!-- accuracy:begin -->\nold\n" == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", noisy_annotators.KINDS)
@pytest.mark.parametrize("error", [0.04, 0.3])
def test_made_annotators_are_wrong_as_often_as_they_should(kind, error):
    """The share of wrong answers is exact, and no answer is outside of the labels."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 200)
    beliefs = rng.dirichlet((1.0, 1.0, 1.0), 200)
    answers = noisy_annotators.made(kind, truth, beliefs, error=error, labels=3, seed=1)
    assert error == pytest.approx((answers != truth).mean())
    assert {0, 1, 2} == set(answers.tolist())


def test_the_grid_of_voices_measures_both_rules_and_three_students():
    """On made texts a poor annotator ends higher by the posterior than it began, and every figure is a share."""
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 2, 300)
    features = rng.normal(size=(300, 8)) + 3.0 * truth[:, None]
    answers = np.where(rng.random(300) < 0.25, 1 - truth, truth)
    near = np.full((300, 2), 0.5)
    pool = voices.Drawn([str(n) for n in range(300)], truth, features, near, 2, (features, truth))
    found = voices.measure(pool, answers, seed=0)
    assert all(0.0 <= value <= 1.0 for value in dataclasses.astuple(found))
    assert found.annotator + 0.05 < found.final
    assert "| made |" in voices.table({"made": [found]})
    assert "of 1 cells" in voices.in_short({"made": [found]}).splitlines()[1]


def test_students_of_noisy_labels_are_shown_beside_the_trainer():
    """A cell per data set and share of errors, the difference to the Trainer, and which cells miss the goal."""
    found = {
        ("mr", 5, "trainer"): [0.70, 0.72],
        ("mr", 5, "finetune"): [0.70, 0.71],
        ("mr", 5, "frozen"): [0.69, 0.71],
        ("mr", 35, "trainer"): [0.60, 0.60],
        ("mr", 35, "finetune"): [0.64, 0.63],
        ("mr", 35, "frozen"): [0.62],
    }
    lines = trainer.table(found).splitlines()
    assert "| mr, 5 | 2 | 71.0 | 70.5 | -0.5 | 70.0 | -1.0 |" == lines[2]
    assert "| mr, 35 | 2 | 60.0 | 63.5 | +3.5 | 62.0 |  |" == lines[3]
    finetuned, frozen = trainer.in_short(found).splitlines()
    assert finetuned.endswith("misses the goal: nowhere")
    assert frozen.endswith("misses the goal: mr, 5 % wrong: -1.0")


def test_a_measured_student_of_noisy_labels_is_not_measured_again(tmp_path, monkeypatch, capsys):
    """A long table may be stopped and gone on with."""
    measured = []

    def measure(way, rows, *, student, seed):
        measured.append((way, seed, len(rows.texts), float((rows.given != 0).mean())))
        return 0.5

    monkeypatch.setattr(trainer, "measure", measure)
    for split in ("train", "test"):
        (tmp_path / "mr").mkdir(exist_ok=True)
        lines = [f"text {number},{'positive' if number % 2 else 'negative'}" for number in range(40)]
        (tmp_path / "mr" / f"{split}.csv").write_text("\n".join(["text,label", *lines, ""]), encoding="utf-8")
    words = ["--data", "mr", "--errors", "20", "--seeds", "1", "--ways", "trainer,frozen", "--rows", "30"]
    words += ["--data-folder", str(tmp_path), "--results", str(tmp_path / "kept.jsonl")]
    assert 0 == trainer.main(words) == trainer.main(words)
    assert [("trainer", 1, 30), ("frozen", 1, 30)] == [one[:3] for one in measured]
    assert "| mr, 20 | 1 | 50.0 |  |  | 50.0 | +0.0 |" in capsys.readouterr().out


def test_a_cell_of_each_kind_is_measured(tmp_path):
    """With models of random weights, on rows as the data folder holds them; `plain` learns what `freeal` has left."""
    folders = Folders(data=tmp_path / "data", record=tmp_path / "record", cache=tmp_path / "cache")
    (folders.data / "cr").mkdir(parents=True)
    for split in ("train", "test"):
        with (folders.data / "cr" / f"{split}.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["text", "label"])
            writer.writerows(
                [f"the {split} phone {number} is {word}", label]
                for number in range(12)
                for word, label in (("good", "positive"), ("bad", "negative"))
            )
    llm = str(tiny_causal(tmp_path / "llm"))
    for method in ("freeal", "plain", "supervised", "zero_shot_raw"):
        record = measure(Cell("cr", method, 0, 20, 8, llm, "tfidf", None, 2), folders)
        assert "done" == record["status"]
        assert 0.0 <= record["scores"]["pool_accuracy"] <= 1.0
        if method == "freeal":
            assert record["rounds"]
            assert 0.0 <= record["scores"]["clean_share"] <= 1.0
        if method == "supervised":
            assert 1.0 == record["scores"]["test_accuracy"]
