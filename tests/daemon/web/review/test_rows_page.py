"""The rows of a version on the live page, and the report's cells that lead to them."""

from __future__ import annotations

import html
import re
import shutil

import pytest

from daemon.web.review.report_links import with_row_links

ROWS = "/models/reviews/rows"


@pytest.fixture
def visitor(reviewed):
    """A page on a model with twelve rows."""
    opened = reviewed.stage.open()
    with reviewed.stage.beside(reviewed.stage.live.errands.run):
        yield opened


def _numbers(visitor, query=""):
    return [int(number) for number in re.findall(r"row (\d+) ·", visitor.get(f"{ROWS}?{query}").text)]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("", list(range(1, 13))),
        ("label=good&student=bad", [5, 7, 9, 11]),
        ("disagree=1", [2, 5, 7, 9, 11]),
        ("least=50", [10, 11, 12]),
        ("most=10", [1, 2]),
        ("least=nonsense&order=nonsense&page=0", list(range(1, 13))),
        ("words=i12", [12]),
        ("order=most+sure&least=50", [12, 11, 10]),
        ("label=elsewhere", []),
        ("page=2", []),
    ],
)
def test_an_address_holds_the_filter(visitor, query, numbers):
    """What makes no sense in it decides nothing."""
    assert numbers == _numbers(visitor, query)


def test_texts_are_escaped_and_each_row_can_be_corrected(visitor):
    """From the list to its card, also where it stands in no queue."""
    page = visitor.get(ROWS).text
    assert ("text number 3 &lt;b&gt;" in page, "<b>" in page.replace("<body", "")) == (True, False)
    card = visitor.get(re.search(r'href="([^"]*row=3)"', page)[1]).text
    assert "text number 3" in card


def test_other_versions_are_shown_by_name(visitor):
    """One that is not there is not."""
    assert 404 == visitor.get(f"{ROWS}?version=..%2f..").status_code
    assert 200 == visitor.get(f"{ROWS}?version=reviews-20251122-120000-abcdef").status_code


def test_cells_of_a_report_lead_to_their_rows():
    """With the filter in the address and a name for those who do not see the picture; the rest stays as it was."""
    cell = '<g data-rows="truth=a%26b&amp;label=c"><rect><title>truth: a&amp;b, final label: c: 3</title></rect></g>'
    page = f'<svg role="img">{cell}<g>0</g></svg><svg role="img">x</svg>'
    assert (
        '<svg role="group"><a href="/models/m/rows?version=v&amp;exactly=1&amp;truth=a%26b&amp;label=c" '
        'aria-label="truth: a&amp;b, final label: c: 3: show them"><rect><title>truth: a&amp;b, final label: c: 3'
        '</title></rect></a><g>0</g></svg><svg role="img">x</svg>'
    ) == with_row_links(page, model="m", version="v")


def test_a_link_from_a_report_keeps_the_visitors_cookies(visitor):
    """A report has no rights, so its links bring none: the page loads itself once more and replaces no cookie."""
    path = f"{ROWS}?label=good&words=%22%3E"
    answer = visitor.stranger(path, sec_fetch_site="cross-site")
    assert ("set-cookie" in answer.headers, 'content="0;url=/models/reviews/rows?label=good&amp;words=%22%3E"') == (
        False,
        re.search(r'content="0;url=[^"]*"', answer.text)[0],
    )
    assert "url=/elsewhere.example/" in visitor.stranger("//elsewhere.example/", sec_fetch_site="cross-site").text


def test_two_versions_side_by_side_lead_to_the_rows_that_moved(reviewed):
    """Any two; measured figures only where there are some; a click opens the rows, compared with that version."""
    older = reviewed.version.with_name("reviews-20251121-120000-abcdef")
    shutil.copytree(reviewed.version, older)
    text = (older / "annotated.csv").read_text()
    (older / "annotated.csv").write_text(text.replace("text number 3 <b>,good", "text number 3 <b>,bad"))
    visitor = reviewed.stage.open()
    with reviewed.stage.beside(reviewed.stage.live.errands.run):
        assert "Lay two side by side" in visitor.get("/models/reviews").text
        page = visitor.get("/models/reviews/compare").text
        for said in ("Rows that moved", "of 12 rows", "bad <span", f"compare {reviewed.folder} {older.name}"):
            assert said in page, said
        [address] = re.findall(r'<li><a href="([^"]*)"><span class="n">1<', page)
        rows = visitor.get(html.unescape(address)).text
        assert ("<strong>1</strong> row" in rows, "text number 3" in rows, older.name in rows) == (True, True, True)
        turned = f"/models/reviews/compare?before={reviewed.version.name}&after={older.name}"
        assert "good <span" in visitor.get(turned).text
        assert 404 == visitor.get("/models/reviews/compare?before=x").status_code
        assert "one version twice" in visitor.get(turned.replace(reviewed.version.name, older.name)).text


def test_a_model_with_one_version_has_nothing_to_lay_beside_it(reviewed):
    """It says so, and the model's page offers nothing."""
    visitor = reviewed.stage.open()
    with reviewed.stage.beside(reviewed.stage.live.errands.run):
        assert 409 == visitor.get("/models/reviews/compare").status_code
        assert "Lay two side by side" not in visitor.get("/models/reviews").text
