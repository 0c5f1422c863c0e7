"""Encodings that must be guessed."""

from __future__ import annotations

import pytest

from freeal.table.encoding_guess import guess_encodings

WESTERN = (
    "das Gerät fällt ständig aus, schade für den Preis",
    "El niño llegó mañana, qué lástima",
    "Muito bom, não há razão para críticas",
    "Det är för dåligt, jag är väldigt besviken på köpet",
    "garçon, être, naïve, déjà vu où",
    "Perché è così lento? Più di un mese, è già la terza volta",
    "Årsmøde på Sjælland, øl og brød",
)
CENTRAL = (
    "Příliš žluťoučký kůň úpěl ďábelské ódy",
    "Dlaczego paczka nie doszła? Bardzo źle, oczekuję zwrotu pieniędzy",
    "Nem működik a készülék, őszintén szólva rossz",
    "Kasno je stiglo, vrlo loše, neću više kupovati",
    "Foarte rău, produsul este stricat şi aşteptăm răspuns",
)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [*((text, "cp1252") for text in WESTERN), *((text, "cp1250") for text in CENTRAL)],
)
def test_the_languages_of_one_script_are_told_apart(text, encoding):
    """A sentence is enough for windows-1252 and windows-1250, which share most letters."""
    assert [encoding] == guess_encodings(f"1;{text}\n".encode(encoding), fits=lambda name: True)


def test_what_does_not_fit_the_whole_file_is_not_guessed():
    """The sample alone does not decide."""
    assert ["cp1250"] == guess_encodings("1;schöne Größe\n".encode("cp1252"), fits=lambda name: name != "cp1252")
    assert [] == guess_encodings("1;schöne Größe\n".encode("cp1252"), fits=lambda name: False)


def test_scripts_that_cannot_be_told_apart_are_all_named():
    """A few words of Hebrew might be Greek or Russian: better asked than mistaken."""
    assert "cp1255" in guess_encodings("1;המוצר מצוין ואני מרוצה\n".encode("cp1255"), fits=lambda name: True)
    assert 1 < len(guess_encodings("1;המוצר מצוין ואני מרוצה\n".encode("cp1255"), fits=lambda name: True))
