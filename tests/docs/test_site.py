"""The pages hang together: links, the site's table of contents, and a build without a warning."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib

import pytest
from prose import DOCS, PAGES, ROOT

CONFIGURATION = tomllib.loads((ROOT / ".zensical.toml").read_text(encoding="utf-8"))["project"]
LINKING = [*PAGES, ROOT / "CHANGELOG.md"]


@pytest.mark.parametrize("path", LINKING, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_resolve(path):
    """No document points at a file or a heading that is not there."""
    for target, heading in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", path.read_text(encoding="utf-8")):
        file = path.parent / target if target else path
        assert file.exists(), target
        if heading:
            assert heading in _anchors(file)


def _anchors(path):
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _listed(entries):
    for entry in entries:
        for target in entry.values():
            yield from [target] if isinstance(target, str) else _listed(target)


def test_every_page_stands_in_the_table_of_contents_once():
    """A page that .zensical.toml does not list is found by nobody."""
    listed = list(_listed(CONFIGURATION["nav"]))
    assert sorted(listed) == sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))


def test_the_readme_fits_on_a_screen_and_shows_two_pictures():
    """At most 60 lines, and each picture is there, real and small."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert 60 >= len(text.splitlines())
    pictures = [ROOT / path for path in re.findall(r"!\[[^]]+\]\(([^)]+)\)", text)]
    assert ["report.png", "page.png"] == [picture.name for picture in pictures]
    assert all(picture.read_bytes().startswith(b"\x89PNG") for picture in pictures)
    assert all(200_000 > picture.stat().st_size for picture in pictures)


def test_the_site_builds_without_a_warning_and_fetches_nothing(tmp_path):
    """What `make docs` runs; no page loads a script, a style, a font or a picture from elsewhere."""
    pytest.importorskip("zensical", reason="the extra `docs` is not installed")
    shutil.copytree(DOCS, tmp_path / "docs")
    shutil.copy(ROOT / ".zensical.toml", tmp_path)
    command = [sys.executable, "-m", "zensical", "build", "-f", ".zensical.toml", "--strict"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stdout + done.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > len(list(DOCS.rglob("*.md")))
    for page in pages:
        found = re.findall(
            r"<(?:script|link|img|iframe)[^>]+(?:src|href)=\"?(https?:[^\" >]+)", page.read_text("utf-8")
        )
        assert [] == [address for address in found if not address.startswith("https://zensical.org")], page.name


def test_a_broken_link_fails_the_build(tmp_path):
    """Strict means strict."""
    pytest.importorskip("zensical", reason="the extra `docs` is not installed")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# Home\n\n[nowhere](nowhere.md)\n")
    (tmp_path / ".zensical.toml").write_text('[project]\nsite_name = "x"\n')
    command = [sys.executable, "-m", "zensical", "build", "-f", ".zensical.toml", "--strict"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert 0 != done.returncode
    assert "page does not exist" in done.stdout + done.stderr
