"""Reviewing in a real browser: by the keyboard alone, on a phone, with the service away for a moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.host.clock import Clock
from daemon.review.review_log import ReviewLog

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
