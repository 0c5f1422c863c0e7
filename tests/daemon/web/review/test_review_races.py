"""Review pages where something happens meanwhile: files go away, another answer comes, jobs go by."""

from __future__ import annotations

import csv
import os
import re
from pathlib import Path

import pytest

from daemon.host.clock import Clock
from daemon.journal.job_record import State
from daemon.review.review_log import Person, ReviewLog
from daemon.web.review import review_page
from daemon.web.uploads import place_in_inbox

REVIEW = "/models/reviews/review"
QUEUE, SHEET, BOUNDARIES = f"{REVIEW}/queue", f"{REVIEW}/sheet", f"{REVIEW}/boundaries"
BEN = Person("b2", "Ben")


@pytest.fixture
def visitor(reviewed):
    """Anna's browser."""
    opened = reviewed.stage.open()
    with reviewed.stage.beside(reviewed.stage.live.errands.run):
        yield opened


@pytest.fixture
def log(reviewed):
    """What others say, as another process would write it down."""
    return ReviewLog(reviewed.folder, Clock())


def _fields(page):
    found = dict(re.findall(r'<input type="hidden" name="(number|key|seen|place)" value="([^"]*)"', page))
    return {name: value.replace("&#34;", '"') for name, value in found.items()}


def _say(visitor, path, **said):
    answer = visitor.post(path.partition("?")[0] + "/say", {**_fields(visitor.get(path).text), **said})
    assert 303 == answer.status_code, answer.text


def _table(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_an_index_of_rows_that_went_away_is_made_anew(visitor, reviewed):
    """Only so many are kept; the page that knew it as made had said 409 from then on."""
    assert 200 == visitor.get(QUEUE).status_code
    for _ in range(2):
        for path in (reviewed.stage.settings.state / "rows").glob("*.sqlite"):
            path.unlink()
        answer = visitor.get(QUEUE)
        assert answer.status_code in (200, 202), answer.text
        assert 200 == visitor.get(QUEUE).status_code


def test_the_index_that_is_looked_at_is_not_the_one_that_goes(visitor, reviewed):
    """Those that nobody looked at for longest go first, however old they are."""
    assert 200 == visitor.get(QUEUE).status_code
    [used] = (reviewed.stage.settings.state / "rows").glob("*.sqlite")
    os.utime(used, (1, 1))
    for number in range(12):
        (used.parent / f"other-{number}.sqlite").touch()
    inode = used.stat().st_ino
    assert 200 == visitor.get(QUEUE).status_code
    assert (12, inode) == (len(list(used.parent.glob("*.sqlite"))), used.stat().st_ino)


@pytest.fixture
def meanwhile(monkeypatch):
    """Do something between the making of a file and its line in the log."""

    def at_placing(act):
        def placed(files, folder):
            act()
            place_in_inbox.place_files(files, folder)

        monkeypatch.setattr(review_page, "place_files", placed)

    return at_placing


def test_a_correction_given_while_a_file_is_made_stays_open(visitor, reviewed, log, meanwhile):
    """It is not in the file, so nobody has counted it."""
    _say(visitor, QUEUE, label="bad")
    [key] = log.said("queue")
    about = log.said("queue")[key].about
    meanwhile(lambda: log.log_said("queue", key, BEN, said="good", about=about))
    assert 303 == visitor.post(QUEUE + "/hand-in").status_code
    assert ["bad"] == [row["freeal_corrected"] for row in _table(reviewed.dropped()[0])]
    assert {key: "good"} == {key: one.said for key, one in log.said("queue").items()}
    assert "this correction" in visitor.get(REVIEW).text


def test_a_line_answered_anew_while_the_sheet_is_handed_in_can_be_counted(visitor, log, meanwhile):
    """It stands among those that wait to be counted."""
    visitor.post(SHEET + "/draw", {"rows": "40"})
    _say(visitor, SHEET, label="good")
    [key] = log.said("sheet")
    about = log.said("sheet")[key].about
    meanwhile(lambda: log.log_said("sheet", key, BEN, said="bad", about=about))
    assert 303 == visitor.post(SHEET + "/hand-in").status_code
    assert "Count 1 answer<" in visitor.get(REVIEW).text


def test_a_boundary_answered_anew_while_the_answers_are_handed_in_stays_open(visitor, log, meanwhile):
    """The page asks what to do with it."""
    _say(visitor, BOUNDARIES, is0="praise")
    [(key, one)] = log.said("boundary").items()
    meanwhile(lambda: log.log_said("boundary", key, BEN, said=one.said | {"bad": {"is": "blame"}}, about=one.about))
    assert 303 == visitor.post(BOUNDARIES + "/hand-in").status_code
    assert ["Ben"] == [one.person.name for one in log.said("boundary").values()]


def test_a_boundary_that_another_answered_meanwhile_is_told_before_it_is_answered_anew(visitor, log):
    """As a row is; what was typed stays in the form, and who sends it again has the last word."""
    stale = _fields(visitor.get(BOUNDARIES).text)
    key, theirs = stale["key"], {"good": {"is": "praise", "is_not": "", "goes_to": ""}}
    log.log_said("boundary", key, BEN, said=theirs)
    told = visitor.post(BOUNDARIES + "/say", {**stale, "is0": "applause"})
    assert (409, True, True) == (
        told.status_code,
        "Ben said &#39;good is praise&#39; here meanwhile" in told.text,
        ">applause</textarea>" in told.text,
    )
    assert theirs == log.said("boundary")[key].said
    assert 303 == visitor.post(BOUNDARIES + "/say", {**_fields(told.text), "is0": "applause"}).status_code
    assert "applause" == log.said("boundary")[key].said["good"]["is"]


@pytest.mark.parametrize("is_theirs", [True, False], ids=["another's", "one's own"])
def test_a_skip_leaves_a_boundary_answer_as_it_stands(visitor, log, is_theirs):
    """To look at it once more and go on is no wish to lose it."""
    stale = _fields(visitor.get(BOUNDARIES).text)
    if is_theirs:
        log.log_said("boundary", stale["key"], BEN, said={"good": {"is": "praise"}})
        assert 303 == visitor.post(BOUNDARIES + "/say", {**stale, "do": "skip"}).status_code
    else:
        _say(visitor, BOUNDARIES, is0="praise")
        _say(visitor, BOUNDARIES + "?pair=0", do="skip")
    assert "praise" == log.said("boundary")[stale["key"]].said["good"]["is"]


def test_jobs_of_other_models_do_not_hide_what_became_of_a_file(visitor, reviewed):
    """However many have ended since: a version was made of these answers, and they are not to be taken back."""
    _say(visitor, QUEUE, label="bad")
    visitor.post(QUEUE + "/hand-in")
    [file] = reviewed.dropped()
    file.unlink()
    done = {"state": State.DONE, "csv_name": file.name, "updated_at": 3.0}
    reviewed.stage.job(id="reviews-20251122-120000-000001-corrections", **done)
    for number in range(201):
        reviewed.stage.job("other", id=f"other-{number}", state=State.DONE, updated_at=9.0)
    assert "is not there any more" not in visitor.get(REVIEW).text
    assert 409 == visitor.post(f"{REVIEW}/take-back", {"file": file.name}).status_code


def test_files_beyond_those_shown_can_be_taken_back_and_hold_a_draw_up(visitor, reviewed, log):
    """The list on the page is cut, what is asked of it is not."""
    corrections = reviewed.folder / "corrections"
    for number in range(12):
        log.log_said("queue", f"k{number}", BEN, said="bad", about={"text": "elsewhere"})
        log.hand_in("queue", BEN, {f"k{number}": log.said("queue")[f"k{number}"].at}, file=f"{number}.csv")
    (corrections / "0.csv").touch()
    assert 10 == visitor.get(REVIEW).text.count("<li><code>corrections/")
    assert 409 == visitor.post(SHEET + "/draw", {"rows": "40"}).status_code
    (corrections / "0.csv").unlink()
    assert 303 == visitor.post(f"{REVIEW}/take-back", {"file": "0.csv"}).status_code


def test_answers_to_be_quoted_lie_in_a_file_of_their_own_until_a_child_has_read_them(visitor, reviewed, log):
    """Others that come while it waits do not end up in its figures."""
    errands, asked = reviewed.stage.live.errands, []
    _say(visitor, BOUNDARIES, is0="praise")
    [(key, one)] = log.said("boundary").items()

    async def not_yet(_, request):
        asked.append(Path(request["answers"]))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(errands, "result_of_child", _but_quotes(errands.result_of_child, not_yet))
        assert 202 == visitor.get(BOUNDARIES + "/changes").status_code
        log.log_said(
            "boundary", key, BEN, said={"good": {"is": "applause", "is_not": "", "goes_to": ""}}, about=one.about
        )
        assert 202 == visitor.get(BOUNDARIES + "/changes").status_code
    first, second = asked
    assert ("praise" in first.read_text(), "applause" in second.read_text()) == (True, True)
    assert "<ins>is applause</ins>" in visitor.get(BOUNDARIES + "/changes").text
    assert [first] == list(first.parent.iterdir())


def _but_quotes(result, instead):
    async def found(key, request):
        return await (instead if request["task"] == "quote" else result)(key, request)

    return found


def test_a_sheet_drawn_after_its_figure_was_withdrawn_asks_again_for_what_was_handed_in(visitor, reviewed):
    """The certificate counts no line then, so no answer that it counted stands for one."""
    path = reviewed.version / "to_draw.json"
    content = path.read_bytes()
    visitor.post(SHEET + "/draw", {"rows": "40"})
    _say(visitor, SHEET, label="good")
    visitor.post(SHEET + "/hand-in")
    reviewed.dropped()[0].unlink()
    assert "0 of 3 done" in visitor.get(SHEET).text
    path.write_bytes(content)
    assert 303 == visitor.post(SHEET + "/draw", {"rows": "40"}).status_code
    assert "0 of 4 done" in visitor.get(SHEET).text
