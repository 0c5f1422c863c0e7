"""The live page in a real browser: what a person sees. Screenshots are kept in `.bench/screenshots/`."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from daemon.inbox.pairing import Waiting
from daemon.journal.job_record import State
from daemon.journal.prediction_record import Prediction
from daemon.limits.daily_spend import Purse

CHROMIUM = "/usr/bin/chromium"
SHOTS = Path(__file__).resolve().parents[3] / ".bench" / "screenshots"
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 360, "height": 740}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser():
    """Debian's chromium, headless."""
    if not Path(CHROMIUM).is_file():
        pytest.skip(f"there is no {CHROMIUM}")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    SHOTS.mkdir(parents=True, exist_ok=True)
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def axe(tmp_path_factory):
    """The accessibility checker, fetched into a temporary folder where npm can."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    folder = tmp_path_factory.mktemp("axe")
    done = subprocess.run(
        [npm, "pack", "axe-core@4"], cwd=folder, capture_output=True, text=True, check=False, timeout=90
    )
    archives = list(folder.glob("*.tgz"))
    if done.returncode or not archives:
        pytest.skip("axe-core cannot be fetched")
    with tarfile.open(archives[0]) as archive:
        return archive.extractfile("package/axe.min.js").read().decode()


@pytest.fixture
def served(stage):
    """The page at a real address; call it once the stage is set."""
    with contextlib.ExitStack() as stack:

        def serve(**web):
            stage.follow_time()
            stage.open(**web)
            stack.enter_context(stage.beside(stage.live.run))
            return stage.live.url

        yield serve


def _open(browser, url, *, viewport=WIDE, scheme="light", script=True):
    context = browser.new_context(viewport=viewport, color_scheme=scheme, java_script_enabled=script)
    page = context.new_page()
    page.faults = []
    page.on("console", lambda message: page.faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.goto(url)
    return page


def _shoot(page, name):
    page.screenshot(path=SHOTS / f"{name}.png", full_page=True)


def _fill(stage):
    """A day like any other."""
    now = stage.clock.wall()
    running = stage.job(
        "support-mails",
        state=State.ANNOTATING,
        round=2,
        stage="annotating",
        done=1840,
        total=5200,
        created_at=now - 900,
    )
    stage.job("topics", state=State.TRAINING, round=1, stage="training", done=12, total=40, created_at=now - 400)
    stage.job("complaints", created_at=now - 60)
    stage.job("survey-2026", state=State.PAUSED, reason="the account's cap", until=now + 3000, created_at=now - 50)
    error = {
        "problem": "a quoted value is never closed",
        "where": {"file": str(stage.settings.inbox / "failed" / "orders" / "orders.csv"), "line": 1207},
        "hint": "close it, or write a quote within a value twice; the record begins on this line",
    }
    stage.job("orders", state=State.FAILED, error=error, updated_at=now - 4000)
    stage.job("reviews", state=State.DONE, usd=0.4321, updated_at=now - 9000)
    stage.job("reviews", state=State.DONE, reason="the same as reviews-20251122-120000-000005", updated_at=now - 8000)
    stage.model()
    stage.model("support-mails")
    stage.waiting = (
        Waiting("lonely.csv", "no spec: drop lonely.yaml beside it"),
        Waiting("a-very-long-name-" * 6 + ".csv", "must stand still a little longer", 1.0),
    )
    purse = Purse(stage.journal, stage.clock)
    purse.book_spend(running.id, 1.37)
    prediction = Prediction(
        id="p1", model="reviews", csv_name="new_reviews.csv", state="done", rows=6012, created_at=now, updated_at=now
    )
    stage.journal.add_prediction(prediction)
    llm = stage.settings.llm.model_copy(update={"daily_budget_usd": 5.0})
    stage.settings = stage.settings.model_copy(update={"llm": llm})
    return running


def _has_no_overflow(page):
    return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_busy_page_reads_well(stage, served, browser, scheme):
    """Wide and narrow, in both colours, nothing runs out of the window and the console is silent."""
    running = _fill(stage)
    url = served()
    for shape, viewport in (("wide", WIDE), ("narrow", NARROW)):
        page = _open(browser, url, viewport=viewport, scheme=scheme)
        page.get_by_text("1,840 of 5,200").wait_for()
        for name, path in (
            ("overview", ""),
            ("job", f"jobs/{running.id}"),
            ("jobs", "jobs"),
            ("model", "models/reviews"),
            ("new", "new"),
        ):
            page.goto(url + path)
            assert _has_no_overflow(page), (shape, name)
            _shoot(page, f"{name}-{shape}-{scheme}")
        assert [] == page.faults
        page.context.close()


def test_an_empty_page_explains_itself(served, browser):
    """The first thing a first-time user sees."""
    page = _open(browser, served())
    assert page.get_by_text("Nothing runs. Drop a table").is_visible()
    assert page.get_by_label("Drop a table here").is_visible()
    assert not page.get_by_text("Done lately").is_visible()
    _shoot(page, "empty")


def test_progress_moves_without_a_reload(stage, served, browser):
    """A row is changed in place; one that is done moves, and the keyboard stays where it was."""
    job = stage.job("moves", state=State.TRAINING, stage="training", done=1, total=9)
    paused = stage.job("fails", state=State.PAUSED, reason="waits")
    page = _open(browser, served())
    page.get_by_text("training: 1 of 9").wait_for()
    page.get_by_role("link", name="moves").focus()
    stage.journal.note(job.id, done=5)
    page.get_by_text("training: 5 of 9").wait_for()
    assert "moves" == page.evaluate("document.activeElement.textContent")
    stage.journal.move(job.id, State.PUBLISHING)
    stage.journal.move(job.id, State.DONE)
    page.get_by_role("list", name="Finished jobs").get_by_text("moves").wait_for()
    assert 1 == page.get_by_role("list", name="Jobs under way").get_by_role("listitem").count()
    page.get_by_role("button", name="Try again now").click()
    page.wait_for_url("**/jobs/fails-*")
    assert "retry" == stage.journal.job(paused.id).request


def test_a_job_is_cancelled_in_two_steps(stage, served, browser):
    """From its own page, with what that means beside the button; the page follows by itself."""
    job = stage.job("long", state=State.TRAINING, stage="training", done=1, total=9)
    page = _open(browser, served())
    page.get_by_role("link", name="long").click()
    page.get_by_role("button", name="Cancel this job").click()
    page.get_by_text("cancelling").wait_for()
    assert "cancel" == stage.journal.job(job.id).request
    _shoot(page, "job-cancelling")
    error = {"problem": "cancelled by the user", "where": {}, "hint": None}
    stage.journal.move(job.id, State.CANCELLED, error=error, request="")
    page.get_by_text("Why it ended").wait_for()
    _shoot(page, "job-cancelled")


def test_two_hundred_jobs_stay_usable(stage, served, browser):
    """The page is there at once, and what runs stands on top."""
    for number in range(200):
        stage.job(f"batch-{number:03d}", created_at=float(number))
    stage.job("at-work", state=State.TRAINING, stage="training", done=3, total=9, created_at=1e6)
    page = _open(browser, served())
    rows = page.get_by_role("list", name="Jobs under way").get_by_role("listitem")
    assert 201 == rows.count()
    assert "at-work" in rows.first.inner_text()
    assert _has_no_overflow(page)
    page.screenshot(path=SHOTS / "two-hundred-jobs.png")


def test_it_works_without_scripts(stage, served, browser):
    """Plain pages that load themselves again, plain forms."""
    job = stage.job("plain")
    url = served()
    page = _open(browser, url, script=False)
    assert page.get_by_role("link", name="plain").is_visible()
    page.goto(f"{url}jobs/{job.id}")
    page.get_by_role("button", name="Cancel this job").click()
    assert "cancel" == stage.journal.job(job.id).request
    page.goto(f"{url}new")
    page.get_by_label("Drop a table here").set_input_files(
        {"name": "a.csv", "mimeType": "text/csv", "buffer": b"text\nx\n"}
    )
    page.get_by_role("button", name="Go on").click()
    assert page.get_by_label("The task, in your own words").is_visible()


def test_files_are_dropped_on_the_page(stage, served, browser):
    """Anywhere on the overview; what is wrong with the form is said, then both files wait in the inbox."""
    page = _open(browser, served())
    drop = """([content, name]) => {
        const data = new DataTransfer();
        data.items.add(new File([content], name, { type: "text/csv" }));
        for (const kind of ["dragover", "drop"]) {
            const event = new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true });
            document.body.dispatchEvent(event);
        }
    }"""
    rows = "".join(f"{n},<b>thing {n}</b> that a person wrote about at some length,good\n" for n in range(9))
    page.evaluate(drop, ["id,text,truth\n" + rows, "my reviews.csv"])
    page.get_by_label("The task, in your own words").fill("Is the customer satisfied?")
    page.locator("#labels").fill("good")
    page.get_by_label("True labels").select_option("truth")
    page.get_by_role("button", name="Start").click()
    page.get_by_role("alert").get_by_text("at least 2 labels").wait_for()
    _shoot(page, "describe-problem")
    page.locator("#labels").fill("good: satisfied\nbad: not satisfied")
    page.get_by_role("button", name="Start").click()
    page.get_by_role("heading", name="Overview").wait_for()
    assert ["my-reviews.csv", "my-reviews.yaml"] == sorted(path.name for path in stage.settings.inbox.iterdir())
    assert [] == [fault for fault in page.faults if "422" not in fault], "the browser notes the form that was refused"


def test_the_form_follows_what_a_text_has(stage, served, browser):
    """Notes, fields and example are those of the chosen kind; labels of a column bring theirs along."""
    page = _open(browser, served() + "new")
    rows = [f"text {number},{tags},{number % 3 + 1}" for number, tags in enumerate(["a|b", "a", "b|c", "c"] * 4)]
    content = "\n".join(["message,tags,stars", *rows]).encode()
    page.set_input_files("input[type=file]", {"name": "mails.csv", "mimeType": "text/csv", "buffer": content})
    page.locator("form.drop button").click()
    page.locator("#kind").wait_for()
    assert "multi" == page.input_value("#kind")
    assert "|" == page.input_value("#label_separator")
    assert not page.is_visible("#pilot")
    _shoot(page, "new-job-several")
    page.select_option("#kind", "tree")
    assert page.is_visible("text=indent what is below it")
    assert page.is_visible("#pilot")
    assert not page.is_visible("#label_separator")
    assert page.get_attribute("#labels", "placeholder").startswith("billing\n  refund")
    page.get_by_role("button", name="Use these as labels").click()
    assert "multi" == page.input_value("#kind")
    page.select_option("#label_column", "stars")
    page.get_by_role("button", name="Use these as labels").click()
    assert ("single", "1\n2\n3") == (page.input_value("#kind"), page.input_value("#labels"))
    assert [] == page.faults
    page.context.close()


def test_what_was_typed_outlives_an_error(stage, served, browser):
    """A form of before a restart is refused: its page, loaded again, holds what was typed."""
    page = _open(browser, served() + "new")
    page.get_by_label("Drop a table here").set_input_files({"name": "a.csv", "mimeType": "", "buffer": b"text\nx\n"})
    page.get_by_role("button", name="Go on").click()
    task = page.get_by_label("The task, in your own words")
    task.fill("Is it fine?")
    page.locator("#labels").fill("good, bad")
    address = page.url
    page.evaluate("for (const one of document.querySelectorAll('[name=form_token]')) one.value = 'of before'")
    page.get_by_role("button", name="Start").click()
    page.get_by_role("heading", name="Not allowed").wait_for()
    page.goto(address)
    assert "Is it fine?" == task.input_value()


def test_a_page_that_loads_itself_again_still_offers_to_tell_of_the_end(stage, served, browser):
    """Where nobody has answered that yet."""
    job = stage.job("moves", state=State.TRAINING, stage="training", done=1, total=9)
    url = served()
    context = browser.new_context()
    context.add_init_script("Object.defineProperty(Notification, 'permission', { get: () => 'default' })")
    page = context.new_page()
    page.goto(f"{url}jobs/{job.id}")
    offer = page.get_by_role("button", name="Tell me when it is over")
    offer.wait_for()
    stage.journal.note(job.id, done=5)
    page.get_by_text("5 of 9").first.wait_for()
    assert offer.is_visible()


def test_no_serious_fault_of_accessibility(stage, served, browser, axe, tmp_path):
    """axe-core finds nothing serious on any page, in both colours."""
    (tmp_path / "token").write_text("a-token-of-some-length")
    running = _fill(stage)
    url = served()
    for scheme in ("light", "dark"):
        page = _open(browser, url, scheme=scheme)
        page.goto(url + "new")
        page.get_by_label("Drop a table here").set_input_files(
            {"name": "a.csv", "mimeType": "text/csv", "buffer": b"id,text\n1,x\n"}
        )
        page.get_by_role("button", name="Go on").click()
        described = page.url.removeprefix(url)
        for path in ("", f"jobs/{running.id}", "jobs", "models/reviews", "new", described, "nothing"):
            page.goto(url + path)
            page.evaluate(axe)
            found = page.evaluate("axe.run()")["violations"]
            serious = [
                (one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")
            ]
            assert [] == serious, (scheme, path)
        page.context.close()
