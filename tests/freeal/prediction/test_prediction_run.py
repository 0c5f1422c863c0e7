"""A table labelled window by window, left and gone on with."""

from __future__ import annotations

import csv

import pytest

from freeal.errors import InputError, OutputBusyError
from freeal.prediction.predict_csv import predict_csv
from freeal.prediction.prediction_run import PredictionRun

TEXTS = [f"{'good' if number % 3 else 'bad'} {number % 7}" for number in range(30)]


def _rows(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


def _names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("steps", [0, 1, 3, 7])
def test_what_was_cut_off_goes_on_where_it_was(tmp_path, classifier, table, job, steps):
    """After any number of windows, the output and its figures are those of an undisturbed run, and no window is read
    twice."""
    path = table(TEXTS)
    expected = predict_csv(job(path), classifier=classifier)
    rows = (tmp_path / "out.csv").read_bytes()
    (tmp_path / "out.csv").unlink()
    with PredictionRun(job(path), classifier) as run:
        assert all(run.step() for _ in range(steps))
        assert min(4 * steps, 30) == run.progress.done
    assert not (tmp_path / "out.csv").exists()
    with PredictionRun(job(path), classifier) as run:
        assert min(4 * steps, 30) == run.progress.done
        while run.step():
            pass
        found = run.finish()
        run.forget()
    assert rows == (tmp_path / "out.csv").read_bytes()
    assert {**expected, "seconds": 0} == {**found, "seconds": 0}
    assert ["new.csv", "out.csv"] == _names(tmp_path)


def test_a_part_that_is_longer_than_its_checkpoint_is_cut_back(tmp_path, classifier, table, job):
    """A kill between the rows and the checkpoint leaves neither a row twice nor half a row."""
    path = table(TEXTS)
    with PredictionRun(job(path), classifier) as run:
        run.step()
    with (tmp_path / ".out.csv.part").open("ab") as stream:
        stream.write(b"99,half a ro\n" * 1_000)
    (tmp_path / "..out.csv.part.json.0123abcd.tmp").write_text("{")
    predict_csv(job(path), classifier=classifier)
    assert ["new.csv", "out.csv"] == _names(tmp_path)
    assert [str(number) for number in range(30)] == [row[0] for row in _rows(tmp_path / "out.csv")[1:]]


@pytest.mark.parametrize("damage", ["{", '{"origin": 3}', "[]"])
def test_a_damaged_checkpoint_begins_anew(tmp_path, classifier, table, job, damage):
    """Nothing is trusted that cannot be read."""
    path = table(TEXTS)
    with PredictionRun(job(path), classifier) as run:
        run.step()
    (tmp_path / ".out.csv.part.json").write_text(damage)
    assert 30 == predict_csv(job(path), classifier=classifier)["rows"]
    assert 31 == len(_rows(tmp_path / "out.csv"))


def test_another_table_or_another_model_begins_anew(tmp_path, classifier, table, job):
    """Rows of two inputs, or of two models, never meet in one output."""
    with PredictionRun(job(table(TEXTS)), classifier) as run:
        run.step()
    path = table(["bad"] * 6)
    with PredictionRun(job(path), classifier) as run:
        assert 0 == run.progress.done
        run.step()
    classifier.identity = "m2"
    with PredictionRun(job(path), classifier) as run:
        assert 0 == run.progress.done


def test_a_run_killed_after_its_last_rename_is_told_again_without_work(classifier, table, job):
    """The summary outlives the process that made it, until it has been seen."""
    path = table(TEXTS)
    with PredictionRun(job(path), classifier) as run:
        while run.step():
            pass
        expected = run.finish()
    scored = classifier.student.scored
    with PredictionRun(job(path), classifier) as run:
        assert run.step() is False
        assert expected == run.finish()
    assert scored == classifier.student.scored


def test_one_output_is_written_by_one_process(tmp_path, classifier, table, job):
    """A second run of the same output is refused, once it has waited for the first."""
    path = table(TEXTS)
    with PredictionRun(job(path), classifier) as run:
        run.step()
        with pytest.raises(OutputBusyError, match="is being written by another process"):
            PredictionRun(job(path), classifier, patience_seconds=0.0)
        while run.step():
            pass
        run.finish()
    assert 31 == len(_rows(tmp_path / "out.csv"))


def test_identical_texts_are_scored_once(classifier, table, job):
    """In one window and across windows: a thousand identical rows cost one forward pass."""
    predict_csv(job(table(["good", "bad", *["good"] * 998]), chunk_rows=50), classifier=classifier)
    assert 2 == classifier.student.scored


def test_a_table_with_a_header_only_comes_back_with_a_header_only(tmp_path, classifier, table, job):
    """No rows are no error here: the columns are there for whoever reads on."""
    summary = predict_csv(job(table([])), classifier=classifier)
    header = ["id", "text", "freeal_label", "freeal_confidence", "freeal_p_angry", "freeal_p_happy"]
    assert ([header], 0, None) == (_rows(tmp_path / "out.csv"), summary["rows"], summary["mean_confidence"])


def test_progress_knows_how_many_rows_there_will_be(classifier, table, job):
    """Exact without line breaks in values, and never less than what is done with them."""
    seen = []
    predict_csv(job(table(TEXTS)), emit=seen.append, classifier=classifier)
    assert {30} == {event.total for event in seen}
    assert [0, 4, 8, 12, 16, 20, 24, 28, 30, 30] == [event.done for event in seen]
    seen.clear()
    predict_csv(job(table([f"a\nb {number}" for number in range(10)])), emit=seen.append, classifier=classifier)
    assert all(event.done <= event.total for event in seen)
    assert 10 == seen[-1].total


def test_an_error_late_in_the_table_leaves_nothing_behind(tmp_path, classifier, table, job):
    """What cannot be gone on with is not kept."""
    path = table(TEXTS)
    with path.open("a", encoding="utf-8") as stream:
        stream.write("1,2,3\n")
    with pytest.raises(InputError, match="line 32"):
        predict_csv(job(path), classifier=classifier)
    assert ["new.csv"] == _names(tmp_path)


def test_an_interrupt_leaves_what_can_be_gone_on_with(tmp_path, classifier, table, job):
    """Ctrl-C, then the same command: only the rest is scored."""
    path = table(TEXTS)

    def interrupt(event):
        if event.done >= 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_csv(job(path), emit=interrupt, classifier=classifier)
    assert [".out.csv.part", ".out.csv.part.json", "new.csv"] == _names(tmp_path)
    seen = []
    predict_csv(job(path), emit=seen.append, classifier=classifier)
    assert 12 == seen[0].done
    assert 31 == len(_rows(tmp_path / "out.csv"))


def test_a_missing_folder_is_named(tmp_path, classifier, table, job):
    """Not a traceback."""
    wanted = job(table(TEXTS)).model_copy(update={"output_csv": tmp_path / "nowhere" / "out.csv"})
    with pytest.raises(InputError, match="its folder is not there"):
        predict_csv(wanted, classifier=classifier)


def test_what_a_spreadsheet_wrote_comes_back_as_it_opens_right(tmp_path, classifier, job):
    """With a byte-order mark, once, however often the work was left."""
    (tmp_path / "new.csv").write_bytes("id;text\n1;bad\n2;gut gepr\u00fcft\n3;good\n".encode("cp1252"))
    with PredictionRun(job(tmp_path / "new.csv", chunk_rows=1), classifier) as run:
        run.step()
    predict_csv(job(tmp_path / "new.csv", chunk_rows=1), classifier=classifier)
    content = (tmp_path / "out.csv").read_bytes()
    assert (True, 1) == (content.startswith(b"\xef\xbb\xbfid;text;"), content.count(b"\xef\xbb\xbf"))
    assert "gut gepr\u00fcft" in content.decode("utf-8-sig")


def test_a_table_without_a_header_is_read_as_the_models_own_was(tmp_path, classifier, job):
    """Where the columns the model reads are not among the names; a header with them is one."""
    classifier.extra |= {"text_columns": ["column_2"], "csv": {"header": "none", "output_encoding": "utf-8-sig"}}
    (tmp_path / "new.csv").write_text("1,good\n2,bad\n", encoding="utf-8")
    assert 2 == predict_csv(job(tmp_path / "new.csv"), classifier=classifier)["rows"]
    assert (tmp_path / "out.csv").read_bytes().startswith(b"\xef\xbb\xbfcolumn_1,column_2,freeal_label,")
    (tmp_path / "named.csv").write_text("id,column_2\n2,bad\n", encoding="utf-8")
    assert 1 == predict_csv(job(tmp_path / "named.csv"), classifier=classifier)["rows"]


def test_rows_that_are_none_are_told(tmp_path, classifier, job):
    """They have a label like any other: rows in are rows out."""
    content = 'id,text\nQ,"{""ImportId"":""QID1""}"\n1,good\nid,text\n2,bad\n'
    (tmp_path / "new.csv").write_text(content, encoding="utf-8")
    summary = predict_csv(job(tmp_path / "new.csv"), classifier=classifier)
    assert 4 == summary["rows"]
    assert "2 rows repeat the header or hold a survey's ids" in summary["drift"]["warnings"][0]
