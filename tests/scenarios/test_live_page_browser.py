"""The whole way in a real browser, with the real program: from a dropped table to a sentence that is labelled."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

_FAST = importlib.util.spec_from_file_location("live_page", Path(__file__).with_name("test_live_page.py"))
live_page = importlib.util.module_from_spec(_FAST)
_FAST.loader.exec_module(live_page)

CHROMIUM = "/usr/bin/chromium"
SHOTS = Path(__file__).resolve().parents[2] / ".bench" / "screenshots"
PATIENCE_MS = 100_000


@pytest.fixture
def page():
    """A page in Debian's chromium."""
    if not Path(CHROMIUM).is_file():
        pytest.skip(f"there is no {CHROMIUM}")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    SHOTS.mkdir(parents=True, exist_ok=True)
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        opened = browser.new_page(viewport={"width": 1280, "height": 900})
        opened.set_default_timeout(PATIENCE_MS)
        yield opened
        browser.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_from_a_dropped_table_to_a_labelled_sentence(daemon, page):
    """Drop, describe, prompt and cost, inbox, progress, report, sentence."""

    def shoot(name):
        page.screenshot(path=SHOTS / f"{name}.png", full_page=True)

    with live_page.running(daemon) as service:
        page.goto(str(service.client.base_url))
        table = {"name": "reviews.csv", "mimeType": "text/csv", "buffer": daemon.rows(60).encode()}
        page.get_by_label("Drop a table here").set_input_files(table)
        page.get_by_role("button", name="Go on").click()
        page.get_by_label("The task, in your own words").fill("Is the customer satisfied?")
        page.locator("#labels").fill("positive: satisfied\nnegative: not satisfied")
        page.get_by_label("True labels").select_option("truth")
        shoot("way-1-describe")
        page.get_by_role("button", name="Show the first prompt and the cost").click()
        page.get_by_role("heading", name="The first prompt").wait_for()
        assert "thing number" in page.get_by_role("region", name="The first prompt").inner_text()
        shoot("way-2-prompt-and-cost")
        page.get_by_role("button", name="Start").click()
        page.get_by_role("list", name="Jobs under way").get_by_role("link", name="reviews").wait_for()
        shoot("way-3-under-way")
        page.get_by_role("list", name="Models").get_by_role("link", name="Report").wait_for()
        shoot("way-4-done")
        page.get_by_role("list", name="Models").get_by_role("link", name="reviews", exact=True).click()
        page.get_by_label("text", exact=True).fill("a good thing, as it seems")
        page.get_by_role("button", name="Which label?").click()
        opinion = page.locator(".opinion strong")
        opinion.wait_for()
        assert opinion.inner_text() in {"positive", "negative"}
        shoot("way-5-sentence")
        page.get_by_role("link", name="Read the report").click()
        page.get_by_role("heading", name="How good").first.wait_for()
        shoot("way-6-report")
        assert 0 == page.evaluate("document.scripts.length")
