"""The report: one file that shows everything and runs nothing."""

from __future__ import annotations

import dataclasses
import itertools
import re
from html.parser import HTMLParser

import pytest

from freeal.corrections.review_queue import review_queue
from freeal.report.collect_report import collect_report
from freeal.report.report_headline import Headline, headline_of_metrics, put_into_page
from freeal.report.report_page import render_report_page

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onload='alert(1)",
    "</title></svg><script>alert(2)</script>",
    "{{ 7 * 7 }} {% raw %} ${x}",
    "</style><style>*{display:none}</style>",
    "<!--",
    "a\x00b\x1b[31m\x85 c",
    "\u202eright to left\u202c",
)
TAGS = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "section", "nav", "footer", "div", "p", "a"),
    *("h1", "h2", "h3", "dl", "dt", "dd", "ul", "li", "bdi", "table", "caption", "thead", "tbody", "tr", "th", "td"),
    *(
        "strong",
        "span",
        "figure",
        "figcaption",
        "details",
        "summary",
        "pre",
        "svg",
        "g",
        "text",
        "line",
        "rect",
        "circle",
        "path",
    ),
    "polyline",
}
ATTRIBUTES = {
    "data-rows",
    *(
        "id",
        "class",
        "href",
        "lang",
        "charset",
        "http-equiv",
        "content",
        "name",
        "scope",
        "colspan",
        "role",
        "tabindex",
    ),
    *("aria-label", "aria-labelledby", "aria-hidden", "open", "style", "viewbox", "x", "y", "x1", "x2", "y1", "y2"),
    *("width", "height", "cx", "cy", "r", "d", "points", "text-anchor", "transform"),
}


class Outline(HTMLParser):
    """Every element of a page, and whether they nest."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.open, self.crossed = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        if self.open.pop() != tag:
            self.crossed.append(tag)


@pytest.fixture
def page_of(finish):
    """The page of a run, from the same pieces that a job's folder is made of."""

    def page(run, previous=None):
        queue = review_queue(run.result.best, run.pool, run.decisions)
        return render_report_page(
            collect_report(run, metrics=run.metrics(), record=run.record(), queue=queue, previous=previous)
        )

    return page


def test_a_hostile_csv_adds_no_element_and_no_attribute(finish, page_of):
    """Whatever texts, labels and the description hold, the page has the elements and attributes of our template only,
    they nest, and no control character is left."""
    rows = [(f"{text} good {number}", "happy") for number, text in enumerate(HOSTILE * 4)]
    labels = {HOSTILE[1]: HOSTILE[0], HOSTILE[2]: HOSTILE[3], "happy": HOSTILE[5]}
    page = page_of(finish(rows, labels=labels, description=f"{HOSTILE[0]} {HOSTILE[4]}"))
    outline = Outline(page)
    assert set() == {tag for tag, _ in outline.elements} - TAGS
    assert set() == {name for _, given in outline.elements for name in given} - ATTRIBUTES
    assert ([], []) == (outline.open, outline.crossed)
    assert 1 == sum(tag == "style" for tag, _ in outline.elements)
    assert re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", page) is None
    assert "{{ 7 * 7 }}" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_nothing_is_fetched_and_nothing_runs(finish, page_of):
    """No script, no link out, no address in the style, and a policy that forbids all of it."""
    page = page_of(finish())
    outline = Outline(page)
    links = {given["href"] for tag, given in outline.elements if tag == "a"}
    assert {"review_queue.csv"} == {link for link in links if not link.startswith("#")}
    assert set() == {name for _, given in outline.elements for name in given if name.startswith("on") or name == "src"}
    assert "url(" not in page
    assert "@import" not in page
    assert ["default-src 'none'; style-src 'unsafe-inline'"] == [
        given["content"] for _, given in outline.elements if given.get("http-equiv") == "Content-Security-Policy"
    ]


def test_the_page_can_be_listened_to(finish, page_of):
    """Every picture has a name that says what is in it, every table a caption and scopes, every link a target, and
    headings descend by one."""
    outline = Outline(page_of(finish()))
    pictures = [given for tag, given in outline.elements if tag == "svg" and "aria-hidden" not in given]
    assert 12 == len(pictures)
    assert all("img" == given["role"] and "." in given["aria-label"] for given in pictures)
    tags = [tag for tag, _ in outline.elements]
    assert tags.count("table") == tags.count("caption") > 10
    assert all(given.get("scope") in ("row", "col") for tag, given in outline.elements if tag == "th")
    ids = {given["id"] for _, given in outline.elements if "id" in given}
    assert {given["href"][1:] for tag, given in outline.elements if tag == "a" and given["href"][0] == "#"} <= ids
    levels = [int(tag[1]) for tag in tags if tag in ("h1", "h2", "h3")]
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert "en" == next(given["lang"] for tag, given in outline.elements if tag == "html")


def test_the_first_screen_with_ground_truth(finish, page_of):
    """Who answered, how good with its interval, and what it cost stand before the first section."""
    run = finish()
    first = page_of(run).partition("<nav")[0]
    accuracy = run.metrics()["final"]["accuracy"]
    assert f"{accuracy * 100:.1f} % (" in first
    assert "script-1, the Claude API (anthropic)" in first
    assert "Is the customer happy?" in first
    assert f"{run.ledger.usd:.4f} USD" in first
    assert "in review_queue.csv" in first


def test_the_first_screen_without_ground_truth(finish, page_of):
    """Nothing is called accuracy; what can be said instead is, with a warning."""
    run = finish(truth=False)
    page = page_of(run)
    first = page.partition("<nav")[0]
    assert "Accuracy unknown: no ground truth." in first
    assert f"{run.metrics()['final']['llm_student_agreement'] * 100:.1f} %" in first
    assert "Reliability" not in page
    assert "Truth against" not in page


def test_the_headline_is_an_accuracy_where_one_was_measured_and_says_so_where_none_was(finish, page_of):
    """One number and one sentence, before everything else; agreement is never called an accuracy."""
    known, unknown = finish(), finish(truth=False)
    first = page_of(known).partition('class="headline measured"')[2].partition("</p>")[0]
    final = known.metrics()["final"]
    assert f"<strong>{final['accuracy'] * 100:.1f} %</strong>" in first
    assert "of the labels are right" in first
    assert "60 rows with a true label" in first
    other = page_of(unknown)
    assert 'class="headline measured"' not in other
    said = other.partition('class="headline unmeasured"')[2].partition("</p>")[0]
    assert "<strong>60 rows</strong>" in said
    assert "nobody has measured" in said


@pytest.mark.parametrize(("rows", "said"), [(300, "sheet of 100 rows"), (60, "sheet of 60 rows"), (39, "So few rows")])
def test_no_sheet_is_proposed_that_the_table_is_too_small_for(finish, rows, said):
    """Nobody looks at more rows than there are."""
    assert said in headline_of_metrics(finish(truth=False).metrics() | {"rows": rows}).sentence


def test_a_certified_figure_goes_before_one_of_true_labels(finish):
    """A person who looked without seeing ours is the better witness; a withdrawn figure is none."""
    metrics = finish().metrics()
    labels = {"accuracy": 0.75, "interval": [0.7, 0.8], "looked_at": 90, "rows": 100}
    assert "75.0 %" == headline_of_metrics(metrics | {"certified": {"labels": labels}}).number
    assert "75.0 %" != headline_of_metrics(metrics | {"certified": {"withdrawn": {"texts": 1}}}).number


def test_a_finished_page_is_given_another_headline(finish, page_of):
    """In the place of the one it has, once."""
    page = page_of(finish())
    again = put_into_page(page, Headline("99.9 %", "of <all> labels", is_accuracy=True))
    assert 1 == again.count('class="headline')
    assert "99.9 %" in again
    assert "of &lt;all&gt; labels" in again


def test_wrong_rows_are_listed_and_the_final_labels_held_against_the_truth(finish, page_of):
    """The surest mistakes first, and nothing of that where the truth is not known."""
    run = finish()
    page = page_of(run)
    wrong = page.partition("Rows whose label is wrong</caption>")[2].partition("</table>")[0]
    rows = re.findall(r'<tr><th scope="row" class="n"><bdi>(\d+)</bdi>', wrong)
    final = run.metrics()["final"]
    assert round(60 * (1 - final["accuracy"])) == len(rows) > 0
    assert "Truth against final label" in page
    assert "Rows whose label is wrong" not in page_of(finish(truth=False))


def test_settings_demonstrations_and_prompt_are_folded(finish, page_of):
    """Who looks for them opens them."""
    page = page_of(finish())
    for section in ("settings", "demonstrations", "prompt"):
        inner = page.partition(f'<section id="{section}"')[2].partition("</section>")[0]
        assert "<details><summary>" in inner


def test_the_page_leads_to_the_live_page_where_there_is_one(finish, page_of):
    """And nowhere else."""
    run = finish()
    address = "http://127.0.0.1:8765/models/moods"
    assert f'href="{address}"' in page_of(dataclasses.replace(run, page=address))


def test_many_labels_and_many_rows_stay_small(finish, page_of):
    """77 labels and thousands of rows: below 1.5 MB, matrices cut to 20 labels, the rest grouped."""
    labels = [f"label {number}" for number in range(77)]
    rows = [(f"text {number} {'x' * (number % 77)}", f"label {number % 77}") for number in range(1800)]
    run = finish(rows, labels=labels)
    page = page_of(run)
    assert len(page.encode()) < 1_500_000
    assert "58 others" in page
    assert "70 other labels" in page


def test_texts_without_an_answer_are_listed(finish, page_of):
    """A refusal stands in the table of answers with its row, and is something to look at."""
    rows = [(f"a good thing {number}", "happy") for number in range(30)]
    run = finish([*rows, ("an unspeakable thing", "angry")])
    page = page_of(run)
    assert "1 text got no usable answer in the kept round." in page.partition("<nav")[0]
    listed = page.partition("Invalid and refused answers</caption>")[2].partition("</table>")[0]
    assert ["31", "invalid_answer", "an unspeakable thing"] == re.findall(r"<bdi>(.*?)</bdi>", listed)[4:7]


def test_what_changed_since_the_last_version(finish, publish, tmp_path):
    """The metrics beside the last version's model are compared with; damaged ones are left out."""
    publish(finish(job="moods-1"), folder="one")
    folder = publish(finish(_half_bad(), job="moods-2"), folder="two", previous="one")
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Compared with the version before, moods-1" in page
    assert "-20" in page.partition("Compared with")[2].partition("</table>")[0]
    (tmp_path / "one" / "metrics.json").write_text("{", encoding="utf-8")
    third = publish(finish(job="moods-3"), folder="three", previous="one")
    assert "Compared with" not in (third / "report.html").read_text(encoding="utf-8")


def _half_bad():
    return [(f"a {'good' if number % 2 else 'bad'} thing {number}", "happy") for number in range(40)]


def test_a_password_in_an_address_is_left_out(finish, page_of):
    """A server's address may carry a name and a password; the page is made to be sent on."""
    run = finish()
    run.settings["llm"]["base_url"] = "https://me:secret@example.org/v1"
    page = page_of(run)
    assert "secret" not in page
    assert "https://example.org/v1" in page
