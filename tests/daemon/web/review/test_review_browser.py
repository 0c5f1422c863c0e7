"""Reviewing in a real browser: by the keyboard alone, on a phone, with the service away for a moment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from daemon.host.clock import Clock
from daemon.journal.job_record import State
from daemon.review.review_log import ReviewLog
from daemon.web.review import label_page
from freeal.errors import CorruptModelError

CHROMIUM = "/usr/bin/chromium"
QUEUE = "models/reviews/review/queue"

pytestmark = pytest.mark.slow


@pytest.fixture
def browser():
    """Debian's chromium, headless."""
    if not Path(CHROMIUM).is_file():
        pytest.skip(f"there is no {CHROMIUM}")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture
def url(reviewed):
    """The page at a real address."""
    reviewed.stage.follow_time()
    reviewed.stage.open()
    with reviewed.stage.beside(reviewed.stage.live.run):
        yield reviewed.stage.live.url


def _row(page, number):
    page.get_by_role("heading", name=f"Row {number} ").wait_for()


def test_the_queue_is_worked_through_by_the_keyboard(url, browser, reviewed):
    """Digits label, s skips, u takes back, Enter confirms, c comments; a draft survives a reload."""
    page = browser.new_page()
    page.goto(url + QUEUE)
    _row(page, 5)
    page.keyboard.press("c")
    page.keyboard.type("1 of them")
    page.reload()
    assert "1 of them" == page.get_by_label("Comment").input_value()
    page.keyboard.press("2")
    _row(page, 2)
    page.keyboard.press("s")
    _row(page, 7)
    page.keyboard.press("Enter")
    _row(page, 9)
    page.keyboard.press("u")
    _row(page, 7)
    said = ReviewLog(reviewed.folder, Clock()).said("queue")
    assert ["bad", None] == [one.said for one in said.values()]
    assert "1 of them" == next(iter(said.values())).note


def test_several_labels_are_ticked_by_the_keyboard(several, url, browser):
    """Digits tick and untick, the filter finds one that has no digit, Enter saves, 0 says that none applies."""
    record = json.loads((several.version / "run.json").read_text())
    record["spec"]["labels"] |= {f"label {number}": "" for number in range(4, 13)}
    (several.version / "run.json").write_text(json.dumps(record))
    page = browser.new_page()
    page.goto(url + QUEUE)
    _row(page, 5)
    page.keyboard.press("1")
    page.keyboard.press("2")
    page.keyboard.press("2")
    page.keyboard.press("/")
    page.keyboard.type("label 12")
    assert [True, False] == [page.get_by_label(name).is_visible() for name in ("label 12", "late")]
    page.keyboard.press("Enter")
    assert ["", True] == [page.get_by_label("Find a label").input_value(), page.get_by_label("late").is_visible()]
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    _row(page, 2)
    page.keyboard.press("0")
    _row(page, 7)
    said = ReviewLog(several.folder, Clock()).said("queue")
    assert ["good;label 12", "(none)"] == [one.said for one in said.values()]


def test_what_cannot_be_saved_stays_on_the_screen(url, browser):
    """With a word about it; the next press saves it."""
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(url + QUEUE)
    _row(page, 5)
    context.set_offline(True)
    page.get_by_role("button", name="bad").click()
    page.get_by_text("Not saved").wait_for()
    _row(page, 5)
    context.set_offline(False)
    page.get_by_role("button", name="bad").click()
    _row(page, 2)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_what_is_saved_is_not_called_unsaved_because_the_next_page_fails(url, browser, reviewed, monkeypatch):
    """The page that fails says why itself."""
    page = browser.new_page()
    page.goto(url + QUEUE)
    _row(page, 5)

    async def fail(*_, **__):
        raise CorruptModelError("its rows are damaged")

    monkeypatch.setattr(label_page.Labelling, "_show_card", fail)
    page.get_by_role("button", name="bad").click()
    page.get_by_role("heading", name="Not now").wait_for()
    assert page.get_by_text("its rows are damaged").is_visible()
    assert ["bad"] == [one.said for one in ReviewLog(reviewed.folder, Clock()).said("queue").values()]


def test_a_page_that_follows_a_job_closes_nothing_that_was_opened(url, browser, reviewed):
    """It goes on once that is closed."""
    reviewed.stage.job(id="reviews-20251122-120000-000008-corrections", state=State.TRAINING)
    page = browser.new_page()
    page.clock.install()
    page.goto(url + "models/reviews/review")
    details = page.locator("details.by-hand").first
    details.locator("summary").click()
    reviewed.stage.job("reviews", csv_name="another.csv", id="reviews-20251122-120000-000009-corrections")
    page.clock.run_for(10_000)
    page.wait_for_timeout(300)
    assert details.get_attribute("open") is not None
    assert not page.get_by_text("another.csv").is_visible()
    details.locator("summary").click()
    page.clock.run_for(4_000)
    page.get_by_text("another.csv").wait_for()
