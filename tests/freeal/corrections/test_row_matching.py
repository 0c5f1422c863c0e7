"""Which row a correction speaks of, also after a spreadsheet: freeal/corrections/row_matching.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from freeal.corrections.corrections_file import Correction
from freeal.corrections.row_matching import match_corrections
from freeal.errors import InputError
from freeal.pool.text_pool import build_pool
from freeal.spec.job_spec import Spec
from freeal.table import Dialect, Table

PATH = Path("c.csv")
IDS = ("007", "12345678901234567890", "12345678901234567000", "x", "8", "9")
TEXTS = ("good", "00123", "1/2", "😀😀", "Grüße aus Köln", "")


def _version(texts=TEXTS, ids=IDS):
    rows = list(zip(ids, texts, strict=True))
    table = Table(PATH, ("id", "text"), rows, list(range(2, 2 + len(rows))), Dialect())
    spec = Spec(name="n", description="d", labels=["yes", "no"], text_columns=("text",), id_column="id")
    return table, build_pool(table, spec)


def _said(text, **values):
    return Correction(text, "yes", 2, {"text": text} | values)


def _placed(*said, id_column="id", texts=TEXTS, ids=IDS):
    table, pool = _version(texts, ids)
    return [one.text for one in match_corrections(said, table, pool, id_column=id_column, path=PATH).corrections]


@pytest.mark.parametrize(
    ("text", "place", "meant"),
    [
        ("good", {"id": "7"}, "good"),
        ("01.Feb", {"id": "1,23457E+19", "freeal_row": "3"}, "1/2"),
        ("123", {"id": "1.2345678901234567E+19", "freeal_row": "2"}, "00123"),
        ("????", {"id": "x"}, "😀😀"),
        ("????", {"freeal_row": "4"}, "😀😀"),
        ("Gr??e aus K?ln", {"id": "8"}, "Grüße aus Köln"),
        ("GrÃ¼ÃŸe aus KÃ¶ln", {"freeal_row": "5"}, "Grüße aus Köln"),
        ("#NAME?", {"id": "8"}, "Grüße aus Köln"),
        ("2-Jan", {"freeal_row": "3"}, "1/2"),
        ("good ", {"id": "", "freeal_row": "1"}, "good"),
        ("good", {"id": "unknown"}, "good"),
        ("00123", {"freeal_row": "99"}, "00123"),
        ("edited by a person", {"id": "8", "freeal_row": "5"}, "Grüße aus Köln"),
    ],
)
def test_a_row_is_found_by_id_then_number_then_text(text, place, meant):
    """Whatever a spreadsheet did to id and text on the way, the row's own text is what is corrected."""
    assert [meant] == _placed(_said(text, **place))


@pytest.mark.parametrize(
    ("text", "meant"),
    [("two  words", "two words"), (" two words\r\n", "two words"), ("two\nwords", "two words"), ("cafe\u0301", "café")],
)
def test_white_space_and_forms_of_unicode_make_no_other_text(text, meant):
    """A spreadsheet reflows and trims, a Mac decomposes letters."""
    assert [meant] == _placed(_said(text), id_column=None, texts=("two words", "café"), ids=("a", "b"))


@pytest.mark.parametrize(
    ("text", "meant"), [("123", "00123"), ("01. Feb", "1/2"), ("Gr??e aus K?ln", "Grüße aus Köln")]
)
def test_without_a_place_the_only_text_it_can_have_been_is_meant(text, meant):
    """A file with nothing but texts and labels went through a spreadsheet too."""
    assert [meant] == _placed(_said(text))


def test_a_text_without_a_place_that_is_none_of_the_version_is_new():
    """The version grows by it."""
    assert ["something else"] == _placed(_said("something else"))
    assert ["something else"] == _placed(_said("something else", id="new-1"))


def test_ids_of_a_file_of_predictions_are_those_of_another_table():
    """Both may count from 1: a text that is none of the version's is new, one that is corrects its row."""
    said = [_said("brand new", id="007", freeal_confidence="0.9"), _said("good", id="9", freeal_confidence="0.9")]
    assert ["brand new", "good"] == _placed(*said)


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ("bad", {"id": "7"}, "id '7' is the row with the text 'good', and the text here differs: 'bad'"),
        ("bad", {"freeal_row": "1"}, "freeal_row 1 is the row with the text 'good'"),
        ("bad", {"freeal_row": "99"}, "there is no row '99'"),
        ("00123", {"id": "7", "freeal_row": "1"}, "differs: '00123'"),
        ("whatever", {"id": "9", "freeal_row": "6"}, "row 6 has no text"),
        ("#NAME?", {"id": ""}, "neither which row"),
        ("gone", {"id": "1,23457E+19"}, "is that of several rows"),
    ],
)
def test_what_contradicts_the_version_is_refused_by_its_line(text, place, problem):
    """No row of a person's word comes of a mistake."""
    with pytest.raises(InputError, match="line 2") as caught:
        _placed(_said(text, **place))
    assert problem in str(caught.value)


def test_two_labels_for_one_row_are_refused_however_it_was_named():
    """Once by id, once by its text."""
    other = Correction("good", "no", 5, {"text": "good", "id": "007"})
    with pytest.raises(InputError, match="decide for one"):
        _placed(_said("good"), other)


def test_texts_that_came_back_changed_are_counted():
    """So that a person hears of it."""
    table, pool = _version()
    said = [_said("123", id="12345678901234567890"), _said("good", id="007")]
    assert 1 == match_corrections(said, table, pool, id_column="id", path=PATH).changed
