"""What the columns of an unknown table seem to be."""

from __future__ import annotations

import pytest

from freeal.table.column_roles import ColumnRoles, guess_column_roles

MAILS = [
    (f"T-{number}", "04.06.2026", "Rechnung 17", f"Der Betrag auf Rechnung {number} ist zu hoch.", label)
    for number, label in enumerate(["Rechnung", "Technik", ""] * 4)
]


def test_a_german_excel_table_is_understood():
    """Ticket numbers are an id, dates no text, the column that was checked holds true labels."""
    header = ["Ticket-Nr", "Datum", "Betreff", "Nachricht", "geprüft"]
    expected = ColumnRoles(("Betreff", "Nachricht"), "Ticket-Nr", "geprüft")
    assert expected == guess_column_roles(header, [list(row) for row in MAILS])


def test_values_tell_where_names_do_not():
    """Unnamed numbers are an id, few values that recur are labels."""
    rows = [[f"r{number}", ["a", "b"][number % 2], f"some words about {number}"] for number in range(10)]
    assert ColumnRoles(("col3",), "col1", "col2") == guess_column_roles(["col1", "col2", "col3"], rows)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (["id", "title", "body", "sentiment"], ColumnRoles(("title", "body"), "id", "sentiment")),
        (["text"], ColumnRoles(("text",))),
        (["id"], ColumnRoles(("id",))),
        (["ticket_id", "Category", "text"], ColumnRoles(("text",), "ticket_id", "Category")),
        (["class", "inside"], ColumnRoles(("inside",), None, "class")),
        ([], ColumnRoles(())),
    ],
)
def test_a_header_alone_is_enough_to_start_from(header, expected):
    """And whatever there is, something is left to be read."""
    assert expected == guess_column_roles(header)


def test_a_column_of_whole_sentences_is_text_whatever_its_name():
    """ "Topic" may be a sentence."""
    rows = [["1", f"my printer has stopped working again, case {number}"] for number in range(6)]
    assert ("Topic",) == guess_column_roles(["n", "Topic"], rows).texts
