"""First lines that are rows, rows that are headers: freeal/preflight/header_check.py."""

from __future__ import annotations

import pytest

from freeal.errors import InputError
from freeal.preflight import preflight_check
from freeal.spec.job_spec import Spec

PROSE = [f"The {thing} I bought is {what}." for thing in ("lamp", "kettle", "chair", "mug") for what in ("good", "bad")]


@pytest.fixture
def check(tmp_path):
    """Write a table and hold it against a spec."""

    def checking(content, **keys):
        path = tmp_path / "reviews.csv"
        path.write_text(content, encoding="utf-8")
        return preflight_check.read(path, Spec(name="n", description="d", labels=["good", "bad"], **keys))

    return checking


def _lines(*lines):
    return "".join(line + "\n" for line in lines)


HEADLESS = {
    "one column of prose": _lines(*PROSE),
    "dates and texts": _lines(*(f"2024-01-0{number},text {number}" for number in range(1, 9))),
    "an export of tweets": _lines(*(f"{number},10000{number},user{number},{PROSE[number]}" for number in range(8))),
    "texts and labels": _lines(*(f"t{number},{'good' if number % 2 else 'bad'}" for number in range(8))),
    "addresses": _lines(*(f"https://example.org/{number},a{number}" for number in range(8))),
}


@pytest.mark.parametrize("content", HEADLESS.values(), ids=HEADLESS)
def test_a_first_line_that_is_a_row_is_refused_with_the_key_that_reads_it(check, content):
    """Before it is lost as a name, and stands before every text of a prompt."""
    with pytest.raises(InputError, match="first line looks like a row, not like a header") as caught:
        check(content)
    assert (1, True) == (caught.value.where.line, "csv: {header: none}" in str(caught.value))
    assert len(content.splitlines()) == len(check(content, csv={"header": "none"}).table.rows)
    assert len(content.splitlines()) - 1 == len(check(content, csv={"header": "first"}).table.rows)


def _of_the_header(found):
    """Warnings, but for the one that so few texts are too few."""
    return tuple(warning for warning in found.warnings if "no student can learn" not in warning)


@pytest.mark.parametrize(
    "header",
    ["text", "review text", "What did you like about it?", "Please tell us why you chose us", "comment (free text)"],
)
def test_a_name_above_texts_is_a_name(check, header):
    """Questions of a survey too."""
    assert (8, ()) == (len((found := check(_lines(header, *PROSE))).table.rows), _of_the_header(found))


def test_names_above_numbers_and_dates_are_names(check):
    """However long the others are."""
    rows = [f"{number},2024-01-0{number},{PROSE[number]}" for number in range(1, 8)]
    assert () == _of_the_header(check(_lines("id,day,The lamp I bought is good.", *rows)))


def test_numbers_that_pandas_gave_columns_are_names(check):
    """0,1,2 above values is how a frame without names is written."""
    assert () == _of_the_header(check(_lines("0,1", *(f"{number},{PROSE[number]}" for number in range(8)))))


def test_columns_that_the_spec_names_settle_it(check):
    """A header with them is a header; without them the first line is told as the reason."""
    assert 8 == len(check(_lines("bad,x", *["good,1", "bad,2"] * 4), text_columns=["bad"]).table.rows)
    named = check(HEADLESS["one column of prose"], text_columns=[PROSE[0]])
    assert "first line looks like a row" in named.warnings[0], "a form lists what stands there"
    with pytest.raises(InputError, match="first line looks like a row") as caught:
        check(HEADLESS["texts and labels"], text_columns=["text"])
    assert "text_columns names a column that is not there" in str(caught.value)


def test_names_can_be_given_to_columns_without_any(check):
    """One for each, in order; another number of them is an error."""
    found = check(HEADLESS["dates and texts"], csv={"header": ["day", "text"]}, text_columns=["text"])
    assert (("day", "text"), 8, 1) == (found.table.header, len(found.table.rows), found.table.lines[0])
    with pytest.raises(InputError, match="names 1 columns, but the first line has 2 values"):
        check(HEADLESS["dates and texts"], csv={"header": ["day"]})


SURVEYS = {
    "qualtrics": (
        2,
        _lines(
            "StartDate,Q1",
            "Start Date,How was it?",
            '"{""ImportId"":""startDate""}","{""ImportId"":""QID1""}"',
            "2024-01-01,good",
            "2024-01-02,bad",
        ),
    ),
    "surveymonkey": (1, _lines("Respondent ID,How was it?", ",Open-Ended Response", "1,good", "2,bad")),
    "old qualtrics": (
        1,
        _lines("V1,V2,Q1", "ResponseID,StartDate,How", *(f"{n},2024-01-0{n},fine {n}" for n in range(1, 9))),
    ),
}


@pytest.mark.parametrize(("rows", "content"), SURVEYS.values(), ids=SURVEYS)
def test_questions_below_the_names_are_refused_with_the_key_that_skips_them(check, rows, content):
    """They are no answers: nothing is asked about them, and nothing learned."""
    with pytest.raises(InputError, match="below the header") as caught:
        check(content)
    assert f"csv: {{skip_rows_after_header: {rows}}}" in str(caught.value)
    whole = len(content.splitlines()) - 1
    assert whole - rows == len(check(content, csv={"skip_rows_after_header": rows}).table.rows)
    assert whole == len(check(content, csv={"skip_rows_after_header": 0}).table.rows)


def test_one_word_above_numbers_may_be_a_value(check):
    """It is a warning; a sign of a missing value is not even that."""
    rows = [f"{number},text {number}" for number in range(9)]
    assert "perhaps no row" in check(_lines("score,text", "points,first", *rows)).warnings[0]
    assert () == _of_the_header(check(_lines("score,text", "n/a,first", *rows)))


def test_a_header_in_the_midst_is_refused_with_the_key_that_skips_it(check):
    """Tables that were put together have it; with its lines, up to five."""
    content = _lines("id,text", "1,good", "\ufeffid,text", "2,bad", "id,text", "3,fine")
    with pytest.raises(InputError, match="stands there 2 times more, on lines 3, 5"):
        check(content)
    assert 3 == len(check(content, csv={"repeated_header": "skip"}).table.rows)
    assert 5 == len(check(content, csv={"repeated_header": "keep"}).table.rows)


def test_cells_nobody_can_see_are_no_text(check):
    """Zero-width spaces, fillers and byte-order marks: nothing is asked about them."""
    found = check(
        _lines("id,text", "1,good", "2,\u200b", "3,\u3164\u2800\ufeff", "4,\u00ad", "5,👍"), text_columns=["text"]
    )
    assert (0, -1, -1, -1, 1) == found.pool.row_index
