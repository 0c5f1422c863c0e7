"""Who is let in, and who may act: each rule of the page's security."""

from __future__ import annotations

import pytest

from daemon.config import WebSettings
from daemon.host.clock import Clock
from daemon.journal.job_record import State
from daemon.web.security.access_token import Access, Token, find_token
from daemon.web.security.request_guard import is_allowed_host
from freeal.errors import ConfigError

TOKEN = "a-token-of-some-length"
EVERYWHERE = "0.0.0.0"  # noqa: S104


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8765", "[::1]:8765", "LOCALHOST:1", "page.example"])
def test_our_own_names_are_let_in(host):
    """Loopback's names and those in web.allowed_hosts reach the page."""
    assert is_allowed_host(host, WebSettings(allowed_hosts=("Page.example",)), on_loopback=True)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "192.168.1.2", "", "localhost:x", "a b", "user@localhost", "[::1"],
)
def test_a_foreign_name_for_our_address_is_refused(host):
    """A name that somebody pointed at loopback (DNS rebinding) reads nothing."""
    assert not is_allowed_host(host, WebSettings(), on_loopback=True)


def test_beyond_loopback_bare_addresses_are_names_of_ours():
    """Nobody can point an address elsewhere; a foreign name is still refused."""
    assert is_allowed_host("192.168.1.2:80", WebSettings(host=EVERYWHERE), on_loopback=False)
    assert not is_allowed_host("evil.example", WebSettings(host=EVERYWHERE), on_loopback=False)


@pytest.mark.parametrize("path", ["/", "/healthz", "/metrics", "/api/status", "/events", "/static/page.css"])
def test_every_address_checks_the_host(stage, path):
    """No endpoint answers under a foreign name."""
    visitor = stage.open()
    assert 400 == visitor.get(path, Host="evil.example").status_code


def test_every_answer_carries_the_headers(stage):
    """Also errors, files for programs and static files."""
    visitor = stage.open()
    for path in ("/", "/nothing", "/metrics", "/static/page.js", "/login"):
        headers = visitor.get(path).headers
        assert "nosniff" == headers["x-content-type-options"]
        assert "same-origin" == headers["referrer-policy"]
        policy = headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
        assert "frame-ancestors 'none'; base-uri 'none'" in policy
        assert "unsafe" not in policy
    assert "no-store" == visitor.get("/").headers["cache-control"]


def test_pages_hold_neither_inline_script_nor_inline_style(stage):
    """What the policy would refuse is not there."""
    stage.job(state=State.FAILED, error={"problem": "p"})
    stage.model()
    visitor = stage.open()
    for path in ("/", "/jobs", "/new", "/models/reviews"):
        text = visitor.get(path).text
        assert " style=" not in text
        assert "<style" not in text
        assert text.count("<script") == text.count("<script src=")
        assert " onclick" not in text


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:9999", "Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_a_form_sent_by_another_site_is_refused(stage, headers):
    """Whatever the form holds."""
    job = stage.job()
    visitor = stage.open()
    assert 403 == visitor.post(f"/jobs/{job.id}/cancel", headers=headers).status_code
    assert "" == stage.journal.job(job.id).request


def test_a_form_needs_its_token(stage):
    """A form that no page of ours made for this visitor does nothing."""
    job = stage.job()
    visitor = stage.open()
    for wrong in ("", "0" * 64, "\udcff"):
        answer = visitor.post(f"/jobs/{job.id}/cancel", form_token=wrong.encode(errors="surrogateescape"))
        assert 403 == answer.status_code
    assert "" == stage.journal.job(job.id).request
    assert 303 == visitor.post(f"/jobs/{job.id}/cancel").status_code
    assert "cancel" == stage.journal.job(job.id).request


def test_a_get_changes_nothing(stage):
    """Links and prefetching browsers cannot cancel a job."""
    job = stage.job()
    visitor = stage.open()
    assert 405 == visitor.get(f"/jobs/{job.id}/cancel").status_code
    assert 405 == visitor.send("PUT", f"/jobs/{job.id}/cancel").status_code
    assert 405 == visitor.send("DELETE", "/").status_code


def test_beyond_loopback_without_a_token_the_page_only_shows(stage):
    """Everything can be read, nothing done, and no button pretends otherwise."""
    job = stage.job(state=State.PAUSED)
    visitor = stage.open(host=EVERYWHERE)
    text = visitor.get("/").text
    assert 'class="looks"' in text
    assert "look only" in text
    assert 403 == visitor.post(f"/jobs/{job.id}/cancel").status_code
    assert 403 == visitor.post("/new", files={"files": ("a.csv", b"a\n1\n")}).status_code
    assert 404 == visitor.get("/login").status_code
    assert [] == list((stage.settings.state / "uploads").iterdir())


def test_with_a_token_acting_wants_it_even_on_loopback(stage, tmp_path):
    """Other users of this machine reach loopback too."""
    (tmp_path / "token").write_text(TOKEN + "\n")
    job = stage.job()
    visitor = stage.open(token_file="token")
    assert 403 == visitor.post(f"/jobs/{job.id}/cancel").status_code
    assert 403 == visitor.post("/login", {"token": "wrong"}).status_code
    assert 403 == visitor.post(f"/jobs/{job.id}/cancel").status_code
    answer = visitor.post("/login", {"token": TOKEN})
    assert 303 == answer.status_code
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert TOKEN not in cookie
    assert "Log out" in visitor.get("/").text
    assert 303 == visitor.post(f"/jobs/{job.id}/cancel").status_code
    visitor.post("/logout")
    assert 403 == visitor.post("/jobs/x/retry").status_code


def test_a_program_brings_the_token_in_a_header(stage, tmp_path):
    """No cookie and no form token are needed with it; a wrong one opens nothing."""
    (tmp_path / "token").write_text(TOKEN)
    job = stage.job()
    visitor = stage.open(token_file="token", host=EVERYWHERE)
    path = f"/jobs/{job.id}/cancel"
    wrong = visitor.send("POST", path, headers={"Authorization": "Bearer " + TOKEN + "x"})
    assert 403 == wrong.status_code
    assert 303 == visitor.send("POST", path, headers={"Authorization": f"Bearer {TOKEN}"}).status_code


def test_a_session_ends_and_cannot_be_made_up():
    """Its signature covers its end."""
    now = [1_000.0]
    access = Access(Token(TOKEN), Clock(wall=lambda: now[0]), on_loopback=False)
    session = access.new_session()
    assert access.may_act(session=session, authorization="")
    end, _, signature = session.partition(".")
    for forged in (f"{int(end) + 1}.{signature}", f"{end}.{'0' * 64}", "", ".", end, "x.y", f"²{session}"):
        assert not access.may_act(session=forged, authorization="")
    other = Access(Token(TOKEN), Clock(wall=lambda: now[0]), on_loopback=False)
    assert not other.may_act(session=session, authorization="")
    now[0] += 13 * 3600
    assert not access.may_act(session=session, authorization="")


def test_the_credential_goes_before_the_file(tmp_path):
    """systemd's `web_token` is found without a setting."""
    (tmp_path / "web_token").write_text("from-the-credential")
    web = WebSettings(token_file=tmp_path / "missing")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    found = find_token(web, environ=environ, base=tmp_path, source="freeal.yaml")
    assert "from-the-credential" == found.secret
    assert "from-the-credential" not in repr(found)
    assert None is find_token(WebSettings(), environ={}, base=tmp_path, source="freeal.yaml")


@pytest.mark.parametrize(
    "content", ["", "short", "two words that are long enough", "line one is long\nline two", "ü" * 20]
)
def test_a_token_that_is_none_is_a_configuration_error(tmp_path, content):
    """A mistake in the file must not open the door, nor close it silently."""
    (tmp_path / "token").write_text(content)
    with pytest.raises(ConfigError, match="usable token"):
        find_token(WebSettings(token_file="token"), environ={}, base=tmp_path, source="freeal.yaml")


def test_a_token_file_that_is_missing_is_a_configuration_error(tmp_path):
    """Named and not there."""
    with pytest.raises(ConfigError, match="cannot be read"):
        find_token(WebSettings(token_file="token"), environ={}, base=tmp_path, source="freeal.yaml")


@pytest.mark.parametrize(
    "path",
    [
        "/static/../server.py",
        "/static/%2e%2e/server.py",
        "/models/..%2f..%2fetc",
        "/models/reviews/versions/../../../x/report.html",
        "/models/reviews/versions/%2e%2e/metrics.json",
        "/models/reviews/versions/reviews-20251122-120000-abcdef/model",
        "/models/reviews/versions/reviews-20251122-120000-abcdef/%2e%2e%2f%2e%2e%2fsecret",
        "/models/reviews/versions/reviews-20251122-120000-abcdef/run.json",
        "/models/reviews/predictions/new.csv",
        "/models/reviews/predictions/..%2f..%2fsecret",
        "/jobs/..%2f..",
        "/new/..%2f..%2fjournal.sqlite",
        "/new/" + "0" * 32,
    ],
)
def test_no_path_of_a_request_reaches_the_disk(stage, path):
    """Names are looked up in listings; what is not listed is not there."""
    folder = stage.model()
    (folder / "versions" / "reviews-20251122-120000-abcdef" / "run.json").write_text("{}")
    (folder / "predictions" / "new.csv").write_text("x\n")
    (stage.settings.models / "secret").write_text("secret")
    assert 404 == stage.open().get(path).status_code


def test_links_are_never_followed_to_a_download(stage):
    """A link in a version, in predictions or in the model's folder leads nowhere."""
    folder = stage.model()
    secret = stage.root / "secret.csv"
    secret.write_text("secret")
    version = folder / "versions" / "reviews-20251122-120000-abcdef"
    (version / "cost.json").symlink_to(secret)
    (folder / "predictions" / "x.csv").symlink_to(secret)
    (version / "model" / "linked.bin").symlink_to(secret)
    (folder / "versions" / "elsewhere").symlink_to(stage.root)
    visitor = stage.open()
    base = "/models/reviews/versions"
    assert 404 == visitor.get(f"{base}/{version.name}/cost.json").status_code
    assert 404 == visitor.get(f"{base}/elsewhere/report.html").status_code
    assert "x.csv" not in visitor.get("/models/reviews").text
    assert b"linked.bin" not in visitor.get(f"{base}/{version.name}/model.zip").content


def test_a_large_form_is_refused(stage):
    """A form is not a way to fill the memory."""
    job = stage.job()
    visitor = stage.open()
    assert 413 == visitor.post(f"/jobs/{job.id}/cancel", {"x": "y" * 200_000}).status_code
